"""The clip's samples at the rate a model wants, computed once per clip."""

from __future__ import annotations

from math import gcd

import numpy as np

from ..schemas.clip import Clip
from .compiled import resample_poly

RESAMPLER = "scipy.resample_poly/kaiser5.0/1"
"""Names the kernel: part of every fingerprint that rests on resampled audio."""

SILENT_PEAK = 1e-10
"""Peaks below this (-200 dBFS) are digital silence: no converter resolves them."""

LOUDEST_PEAK = 1e12
"""Peaks above this (+240 dBFS) are no audio in any integer format read as float, and overflow float32 energies."""


BLOCK_FRAMES = 8192
"""Frames per block of `frame_power`: bounds memory on long clips; sums are buffered in pieces that divide it."""


def peak(clip: Clip) -> float:
    """Largest magnitude of the clip's samples, full scale 1.0; NaN or Inf when a sample is, 0.0 without samples."""
    if "peak" not in clip.memo:
        x = clip.waveform
        clip.memo["peak"] = float(max(-float(x.min()), float(x.max()))) if x.size else 0.0
    return clip.memo["peak"]


def quantiser_step(x: np.ndarray) -> float:
    """Smallest difference between magnitudes in 4096 samples about the largest: the quantiser's step, or less."""
    if not x.size:
        return 0.0
    # the magnitudes of a recording of hours would be another copy of it
    high, low = int(x.argmax()), int(x.argmin())
    centre = min(high, low) if x[high] == -x[low] else high if x[high] > -x[low] else low
    start = max(0, min(centre - 2048, x.shape[0] - 4096))
    steps = np.diff(np.unique(np.abs(x[start : start + 4096])))
    return float(steps.min()) if steps.size else 0.0


def resample(waveform: np.ndarray, source_rate: int, target_rate: int) -> np.ndarray:
    """`[T]` float32 at source_rate (Hz) to `[ceil(T * target / source)]` float32 at target_rate.

    Polyphase filter with a Kaiser window (beta 5.0) of 20 zero crossings, scipy's default: zero phase, about
    -60 dB of aliasing.
    """
    x = np.ascontiguousarray(waveform, dtype=np.float32)
    if source_rate == target_rate or x.size == 0:
        return x
    common = gcd(source_rate, target_rate)
    return np.ascontiguousarray(resample_poly(x, target_rate // common, source_rate // common))


def resampled(clip: Clip, rate: int) -> np.ndarray:
    """The clip's waveform at `rate` (Hz), `[T]` float32, at its own level; kept in the clip's memo."""
    key = f"waveform@{rate}"
    if key not in clip.memo:
        clip.memo[key] = resample(clip.waveform, clip.sample_rate, rate)
    return clip.memo[key]


def frames(x: np.ndarray, size: int) -> np.ndarray:
    """`[T]` cut into `[ceil(T / size), size]`, the last frame padded with zeros."""
    count = -(-x.shape[0] // size)
    if count * size == x.shape[0]:
        return x.reshape(count, size)
    padded = np.zeros(count * size, dtype=x.dtype)
    padded[: x.shape[0]] = x
    return padded.reshape(count, size)


def frame_power(x: np.ndarray, size: int, offset: float = 0.0) -> np.ndarray:
    """Mean square of each frame of `size` samples, `[ceil(T / size)]` float64, of the samples less a constant offset.

    A short last frame counts its own samples.
    """
    energy = [np.zeros(0)]
    # block by block: centred or padded, a recording of hours would be another copy of it
    for first in range(0, x.shape[0], size * BLOCK_FRAMES):
        cut = frames(x[first : first + size * BLOCK_FRAMES] - np.float32(offset), size)
        energy.append(np.einsum("ij,ij->i", cut, cut, dtype=np.float64))
    power = np.concatenate(energy)
    count = np.full(power.shape[0], size, dtype=np.float64)
    if power.shape[0]:
        count[-1] = x.shape[0] - size * (power.shape[0] - 1)
    return power / count
