"""Which clips a training reads in which order: a pure function of a version and a few settings, no payload read.

In: a version, settings, an epoch. Out: the microbatches of every step. Imports `storage` and `reading`."""
