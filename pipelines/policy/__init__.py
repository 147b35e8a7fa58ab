"""Decisions over the whole corpus: rules, groups, quotas, duplicates. No model runs here.

In: live clips and their scores. Out: kept or dropped, with the reason. Imports `tables`."""
