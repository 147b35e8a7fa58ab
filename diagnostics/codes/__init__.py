"""Entropy rate of codes: models held out by speaker, portfolio, gates, costs of clips.

In: codes `[K, T]` by speaker. Out: bits per second with an interval. Imports `estimates`, `ngrams`."""
