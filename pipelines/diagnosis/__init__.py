"""How predictable the representations of a version are, and how well they reconstruct.

In: an open version. Out: records, and tables per clip, under `derived/`. Imports `derived`, `spread`, `policy`,
`audio`, `work`."""
