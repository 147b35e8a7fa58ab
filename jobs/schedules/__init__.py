"""When nights are, and the files with which each scheduler starts them: cron, systemd, Kubernetes, Airflow, Argo."""
