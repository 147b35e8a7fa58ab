"""Which clips a training takes when: stages by difficulty, and curricula by a specification.

In: a version, its scores and difficulties. Out: an immutable table beside it. Imports `derived` and `policy`."""
