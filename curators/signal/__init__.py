"""Scores of the sound itself: level, clipping and DC (`signal.py`), bandwidth, speech activity, SNR, reverberation,
content, quality.

In: waveforms `[T] float32`. Out: score columns. Imports only the top of `curators`."""
