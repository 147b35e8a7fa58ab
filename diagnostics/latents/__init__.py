"""Predictability of latents: predictive gain, directions, archetypes.

In: frames `[D, T]` by speaker. Out: estimates with intervals. Imports `estimates` and the counts of `codes`."""
