"""Fundamental frequency of speech, frame by frame, as far as its spread needs it: autocorrelation, no path search."""

from __future__ import annotations

import numpy as np

SAMPLE_RATE = 4000
WINDOW, HOP = 256, 128
"""64 ms, every 32 ms: the grid of the voice activity detector."""
LOWEST_HZ, HIGHEST_HZ = 65.0, 400.0
VOICED = 0.6
"""Correlation of one period with the next above which a frame is voiced."""
OCTAVE_COST = 0.05
"""Per octave of a longer lag: between a period and its double, the period wins."""


def pitch(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`[T]` at 4 kHz to F0 in Hz and its correlation, each `[max(1, ceil(T / 128))]` float64; the F0 of a frame whose
    correlation is under `VOICED` means nothing."""
    count = max(1, -(-len(x) // HOP))
    padded = np.zeros((count - 1) * HOP + WINDOW)
    lead = (WINDOW - HOP) // 2
    padded[lead : lead + len(x)] = x[: len(padded) - lead]
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    shortest, longest = int(SAMPLE_RATE / HIGHEST_HZ), int(SAMPLE_RATE / LOWEST_HZ) + 1
    lags = np.arange(shortest - 1, longest + 2)
    spectrum = np.fft.rfft(frames, 2 * WINDOW, axis=1)
    product = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, axis=1)[:, lags]
    energy = np.concatenate([np.zeros((count, 1)), np.cumsum(frames**2, axis=1)], axis=1)
    scale = np.sqrt(energy[:, WINDOW - lags] * (energy[:, -1:] - energy[:, lags]))
    correlation = product / np.maximum(scale, 1e-12 + 1e-9 * energy[:, -1:])
    middle = correlation[:, 1:-1]
    peaks = (middle > correlation[:, :-2]) & (middle >= correlation[:, 2:])
    ranked = np.where(peaks, middle - OCTAVE_COST * np.log2(lags[1:-1] / shortest), -np.inf)
    best = ranked.argmax(axis=1)
    row = np.arange(count)
    before, at, after = (correlation[row, best + k] for k in range(3))
    bend = before - 2 * at + after
    shift = np.where(np.abs(bend) > 1e-9, 0.5 * (before - after) / np.where(bend == 0, 1.0, bend), 0.0).clip(-0.5, 0.5)
    found = peaks[row, best]
    return SAMPLE_RATE / (lags[1:-1][best] + shift), np.where(found, at, 0.0)


def semitones(hz: np.ndarray) -> np.ndarray:
    """Above 55 Hz, the lowest A of a bass voice."""
    return 12 * np.log2(hz / 55.0)
