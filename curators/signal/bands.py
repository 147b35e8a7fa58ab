"""Short-time band powers: what the acoustic network sees and what its masks apply to."""

from __future__ import annotations

from functools import cache

import numpy as np

from ..compiled import rfft

SAMPLE_RATE = 16_000
FRAME, HOP = 1024, 512
"""64 ms Hann windows every 32 ms, each centred on one decision of the voice activity detector."""
BLOCK_FRAMES = 4096
"""Frames per transform: bounds memory on long clips; a multiple of every vector's width, so that no bit changes."""
NUM_BANDS = 64
LINEAR_BANDS = 32
LINEAR_BINS = 2
"""The lower 32 bands are 31.25 Hz wide, up to 1 kHz, so that harmonics show; the others widen by a constant ratio."""


@cache
def band_edges() -> np.ndarray:
    """First bin of each band, `[65]` int; band k holds bins edges[k] to edges[k + 1] - 1, without bin 0 (DC)."""
    first = LINEAR_BANDS * LINEAR_BINS + 1
    upper = np.geomspace(first, FRAME // 2 + 1, NUM_BANDS - LINEAR_BANDS + 1)
    return np.concatenate([np.arange(1, first, LINEAR_BINS), np.round(upper).astype(int)])


def num_frames(num_samples: int) -> int:
    """Frames that cover `num_samples`, the last ones padded with zeros; at least 1."""
    return max(1, -(-num_samples // HOP))


def band_powers(x: np.ndarray, offset: float = 0.0) -> np.ndarray:
    """Power of `[T]` at 16 kHz, less a constant offset, in 64 bands, `[ceil(T / 512), 64]` float32.

    Frame i is centred on samples 512 i to 512 i + 511. Summed over bands a row is the frame's mean square above 8 Hz
    under the window (scaled so that white noise of mean square 1 gives 1 on average).
    """
    count = num_frames(x.shape[0])
    lead = (FRAME - HOP) // 2
    window = np.hanning(FRAME + 1)[:FRAME].astype(np.float32)
    window *= np.float32(np.sqrt(2.0 / FRAME / np.sum(window.astype(np.float64) ** 2)))
    powers = np.empty((count, NUM_BANDS), dtype=np.float32)
    for first in range(0, count, BLOCK_FRAMES):
        rows = min(BLOCK_FRAMES, count - first)
        padded = np.zeros(rows * HOP + FRAME - HOP, dtype=np.float32)
        start = first * HOP - lead
        low, high = max(start, 0), min(start + padded.shape[0], x.shape[0])
        padded[low - start : high - start] = x[low:high] - np.float32(offset)
        frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP] * window
        spectrum = rfft(frames)
        power = spectrum.real**2 + spectrum.imag**2
        powers[first : first + rows] = np.add.reduceat(power, band_edges()[:-1], axis=1)
    return powers
