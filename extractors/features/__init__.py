"""Representations that are no codec: acoustic features, MFCC, pitch, k-means speech units.

In: waveforms. Out: frames `[D, T]` or codes `[1, T]`. Imports `coding`."""
