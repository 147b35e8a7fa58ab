"""The static report of a version: one HTML file.

In: a version's profile, diagnostics and examples. Out: a page. Imports `drawing`."""
