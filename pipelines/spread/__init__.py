"""Pieces of a diagnosis as units of a pass: on the workers of a cluster, with a receipt each.

In: a function and its jobs. Out: what it returned, in their order. Imports `work`, `nodes`."""
