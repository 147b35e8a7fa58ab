"""Many small contexts of a code, classes of sound among them, pooled in one log-linear model.

In: a store of codes, folds, a codec's codebook vectors. Out: bits per code, cross-fitted. Imports `codes`."""
