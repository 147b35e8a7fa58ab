"""Sources whose entropy rate or predictive gain is known, for tests and benchmarks of the estimators."""
