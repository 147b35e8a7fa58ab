"""Fundamental frequency of speech, frame by frame: autocorrelation, and the smoothest path through its peaks.

Candidates and costs as in Boersma, "Accurate short-term analysis of the fundamental frequency and the
harmonics-to-noise ratio of a sampled sound" (1993), at a coarser grid.
"""

from __future__ import annotations

import numpy as np

SAMPLE_RATE = 4000
WINDOW, HOP = 256, 128
"""64 ms, every 32 ms: the grid of the voice activity detector."""
LOWEST_HZ, HIGHEST_HZ = 65.0, 400.0
SHORTEST, LONGEST = int(SAMPLE_RATE / HIGHEST_HZ), int(SAMPLE_RATE / LOWEST_HZ) + 1
"""Lags in samples."""
VOICED = 0.6
"""Correlation of one period with the next above which a frame is voiced."""
CANDIDATES = 6
"""Peaks of a frame that the path may go through."""
BLOCK_FRAMES = 4096
"""Frames at a time: bounds memory on long clips."""
OCTAVE_COST = 0.05
"""Per octave of a longer lag: between a period and its double, the period wins."""
JUMP_COST = 0.15
"""Per octave between one voiced frame and the next: without it a monotone voice at 170 Hz spreads over 12 semitones."""


def pitch(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`[T]` at 4 kHz to F0 in Hz and its correlation, each `[max(1, ceil(T / 128))]` float64; the F0 of a frame whose
    correlation is under `VOICED` means nothing."""
    rated, height, hz = peaks(x)
    chosen = np.zeros(len(hz), dtype=np.int64)
    voiced = np.flatnonzero(height[:, 0] >= VOICED)
    if len(voiced):
        chosen[voiced] = smoothest(rated[voiced], np.log2(hz[voiced]))
    row = np.arange(len(hz))
    return hz[row, chosen], height[row, chosen]


def peaks(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`[T]` at 4 kHz to the `CANDIDATES` best peaks of every frame, best first: rating (-inf where there is none),
    correlation (0 where there is none) and frequency in Hz, each `[F, CANDIDATES]`."""
    count = max(1, -(-len(x) // HOP))
    padded = np.zeros((count - 1) * HOP + WINDOW, dtype=x.dtype)
    lead = (WINDOW - HOP) // 2
    padded[lead : lead + len(x)] = x[: len(padded) - lead]
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    blocks = [_peaks(frames[first : first + BLOCK_FRAMES]) for first in range(0, count, BLOCK_FRAMES)]
    rated, height, period = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return rated, height, SAMPLE_RATE / period


def _peaks(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`[F, WINDOW]` to rating, correlation and period in samples, each `[F, CANDIDATES]`."""
    frames = frames.astype(np.float64)
    frames -= frames.mean(axis=1, keepdims=True)
    lags = np.arange(SHORTEST - 1, LONGEST + 2)
    spectrum = np.fft.rfft(frames, 2 * WINDOW, axis=1)
    product = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, axis=1)[:, lags]
    energy = np.concatenate([np.zeros((len(frames), 1)), np.cumsum(frames**2, axis=1)], axis=1)
    scale = np.sqrt(energy[:, WINDOW - lags] * (energy[:, -1:] - energy[:, lags]))
    correlation = product / np.maximum(scale, 1e-12 + 1e-9 * energy[:, -1:])
    before, at, after = correlation[:, :-2], correlation[:, 1:-1], correlation[:, 2:]
    # a parabola through three lags: a period between two of them would lose to its double that falls on one
    shift = (0.5 * (before - after) / np.minimum(before - 2 * at + after, -1e-9)).clip(-0.5, 0.5)
    height = np.minimum(at - 0.25 * (before - after) * shift, 1.0)
    height = np.where((at > before) & (at >= after), height, 0.0)
    period = lags[1:-1] + shift
    rated = np.where(height > 0, height - OCTAVE_COST * np.log2(period / SHORTEST), -np.inf)
    best = np.argsort(-rated, axis=1, kind="stable")[:, :CANDIDATES]
    rated, height, period = (np.take_along_axis(a, best, axis=1) for a in (rated, height, period))
    return rated, height, period


def smoothest(rated: np.ndarray, octaves: np.ndarray) -> np.ndarray:
    """Index of one candidate per frame, `[F]`, from their ratings and log2 F0, `[F, K]`, F at least 1: the path whose
    ratings, less `JUMP_COST` per octave between neighbours, add up to most (Viterbi)."""
    came = np.zeros(rated.shape, dtype=np.int64)
    total = rated[0]
    for k in range(1, len(rated)):
        reached = total[:, None] - JUMP_COST * np.abs(octaves[k - 1][:, None] - octaves[k])
        came[k] = reached.argmax(axis=0)
        total = reached.max(axis=0) + rated[k]
    path = np.zeros(len(rated), dtype=np.int64)
    path[-1] = total.argmax()
    for k in range(len(rated) - 1, 0, -1):
        path[k - 1] = came[k][path[k]]
    return path


def semitones(hz: np.ndarray) -> np.ndarray:
    """Above 55 Hz, the lowest A of a bass voice."""
    return 12 * np.log2(hz / 55.0)
