"""What is made from a version: judgement, decoded codes, estimates of cost, speech units.

In: an open version. Out: rebuildable files under `derived/`. Imports `policy`, `tables`, `audio`, `work`."""
