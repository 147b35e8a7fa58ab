"""Entropy rate of codes: n-gram counts, smoothing, mixtures, gates.

In: codes `[K, T]` by speaker. Out: bits per second with an interval. Imports `estimates`."""
