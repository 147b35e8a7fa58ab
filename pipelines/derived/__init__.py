"""What is made from a version and kept beside it: judgement, diagnostics, speech units.

In: an open version. Out: rebuildable files under `derived/`. Imports `policy`, `tables`, `audio`, `work`."""
