"""Steady noise taken down before the voice activity detector listens: spectral subtraction with a floor.

White noise at 0 dB costs silero one frame in ten of the speech; 10 dB less of it halves that, and clean speech keeps
99.6 % of its decisions (training speakers). Only the detector hears this signal: nothing is measured on it.
"""

from __future__ import annotations

import numpy as np

from ..compiled import moving_mean

SIZE = 512
HOP = SIZE // 2
BLOCK_FRAMES = 2048
"""Frames per estimate of the noise (33 s at 16 kHz): follows slow changes, bounds memory on long clips."""
SMOOTHING = 5
"""Frames and bins over which power is averaged: single cells of noise vary too much to be told from speech."""
FLOOR_PERCENTILE, FLOOR_FACTOR = 15, 1.5
"""The noise of a bin is this percentile of its power over time, raised by the bias of so low a percentile."""
LEAST_GAIN = 0.3
"""Below -10 dB what is left of the noise begins to warble, and the detector takes it for voices."""


def less_noise(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """`[T]` at 16 kHz with its steady noise up to 10 dB lower, `[T]` float32; `out` may be `x` itself."""
    count = x.shape[0]
    out = np.empty(count, dtype=np.float32) if out is None else out
    if count == 0:
        return out
    window = np.sin(np.pi * (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE)  # its square overlaps to 1
    num_frames = count // HOP + 2
    # a frame is the hop before it and its own; of a block, the next one needs the last hop of samples and of output
    before, tail = np.zeros(HOP, dtype=np.float32), np.zeros(HOP, dtype=np.float32)
    for rows in np.array_split(np.arange(num_frames), -(-num_frames // BLOCK_FRAMES)):
        first, stop = int(rows[0]) * HOP, (int(rows[-1]) + 1) * HOP
        padded = np.zeros(HOP + stop - first, dtype=np.float32)
        padded[:HOP] = before
        padded[HOP : HOP + max(0, min(stop, count) - first)] = x[first:stop]
        before = padded[-HOP:].copy()
        spectrum = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(padded, SIZE)[::HOP] * window, axis=1)
        pieces = (np.fft.irfft(spectrum * gains(np.abs(spectrum) ** 2), SIZE, axis=1) * window).astype(np.float32)
        halves = np.zeros((pieces.shape[0] + 1, HOP), dtype=np.float32)
        halves[:-1] += pieces[:, :HOP]
        halves[1:] += pieces[:, HOP:]
        halves[0] += tail
        tail = halves[-1].copy()
        low, high = max(0, first - HOP), min(count, stop - HOP)
        out[low:high] = halves[:-1].ravel()[low - first + HOP : high - first + HOP]
    return out


def gains(power: np.ndarray) -> np.ndarray:
    """Amplitude factor per cell of `[F, K]` powers, `[F, K]` in [0.3, 1]: what is speech of it by subtraction."""
    smooth = moving_mean(moving_mean(power, SMOOTHING, 0), SMOOTHING, 1)
    noise = FLOOR_FACTOR * np.percentile(smooth, FLOOR_PERCENTILE, axis=0)
    speech = 1 - noise / np.maximum(smooth, np.finfo(np.float32).tiny)
    return np.maximum(np.sqrt(np.maximum(speech, 0)), LEAST_GAIN)
