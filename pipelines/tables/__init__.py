"""The driver's working tables: what is in the sources, what is live, what is known, what remains to be done.

In: sources, labels, the parent version, receipts. Out: tables in a scratch DuckDB.
Imports `passes`, `audio`, `work`."""
