"""A DAG of Airflow (2.4 or newer, and 3)."""

from __future__ import annotations

from pathlib import Path

from ...schemas.errors import BusyError
from .nightly_time import NightlyTime
from .no_retry import NO_RETRY

DAG = '''"""{name}: a nightly run of auricle, {time}. Written by `auricle schedule export`."""

import subprocess
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

try:
    from airflow.sdk import dag, get_current_context, task  # Airflow 3
except ImportError:
    from airflow.decorators import dag, task
    from airflow.operators.python import get_current_context

from airflow.exceptions import AirflowFailException, AirflowSkipException

COMMAND = {command!r}
FOLDER = {folder!r}
NOT_AGAIN = {not_again!r}  # exit codes that the same command would only give again
BUSY = {busy!r}  # another run holds the dataset


@dag(
    dag_id={name!r},
    schedule={cron!r},
    start_date=datetime(2024, 1, 1, tzinfo=ZoneInfo({zone!r})),
    # nights that were missed are made up for by the next one: it takes in all that is new
    catchup=False,
    max_active_runs=1,
)
def nightly():
    @task(retries=3, retry_delay=timedelta(minutes=5))
    def run():
        context = get_current_context()
        night = context.get("data_interval_end") or context["logical_date"] or context["dag_run"].run_after
        # secrets come from the worker's environment, not from this file
        done = subprocess.run([*COMMAND, "--scheduled-for", night.isoformat()], cwd=FOLDER, check=False)
        if done.returncode == BUSY:
            raise AirflowSkipException("another run holds the dataset")
        if done.returncode in NOT_AGAIN:
            raise AirflowFailException(f"auricle ended with {{done.returncode}}; its output says what to do")
        done.check_returncode()

    run()


nightly()
'''


def dag(time: NightlyTime, argv: list[str], name: str, folder: Path) -> str:
    """The file of a DAG that runs `argv` on a worker of Airflow in `folder`, once per night, never twice at a time."""
    # the night comes from Airflow
    at = argv.index("--scheduled-for")
    command = [*argv[:at], *argv[at + 2 :]]
    return DAG.format(
        name=name, time=time, command=command, folder=str(folder), cron=time.cron, zone=time.timezone,
        not_again=[code for code in NO_RETRY if code != BusyError.exit_code], busy=BusyError.exit_code,
    )  # fmt: skip
