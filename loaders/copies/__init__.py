"""Copies of a version for other places and tools: pull, export; and the difference of two versions.

In: a version. Out: a folder. Imports `care`, `reading`, `storage`."""
