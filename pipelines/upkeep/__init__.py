"""New versions without a run: takedown, rollback, compact, repair; and garbage collection.

In: the newest version. Out: the next one, or fewer files. Imports `publishing`."""
