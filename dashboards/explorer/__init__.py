"""The explorer: a web application over the versions of a dataset, on the loopback by default.

In: a dataset. Out: pages and sounds. Imports `report` and `drawing`."""
