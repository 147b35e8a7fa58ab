"""Audio around frame centres: how acoustic measures share the time axis of a codec.

Frame i of a codec covers samples [i, i+1) * frame_size; a measure of frame i looks at a window centred on the middle
of that interval, so that codes and measures with equal index describe the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..schemas.errors import ClipError
from ..schemas.tables import FailureReason
from ..schemas.time import num_frames
from .resample import resample

BLOCK = 512
"""Frames per block: bounds memory on long recordings."""


def mono_at(waveform: np.ndarray, sample_rate: int, target_rate: int) -> np.ndarray:
    """`[C, T]` at `sample_rate` to `[T']` float32 at `target_rate`, channels averaged.

    Raises `ClipError` for no samples, NaN or Inf, or more than two channels.
    """
    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim != 2 or waveform.shape[0] not in (1, 2):
        raise ClipError(FailureReason.EXTRACTION, f"audio must be [1 or 2, T], found shape {list(waveform.shape)}")
    if waveform.shape[1] < 1:
        raise ClipError(FailureReason.NO_SAMPLES, "audio has no samples")
    if not np.isfinite(waveform).all():
        raise ClipError(FailureReason.NOT_FINITE, "audio holds NaN or Inf")
    mono = waveform.mean(axis=0, keepdims=True, dtype=np.float32)
    return resample(mono, sample_rate, target_rate)[0]


def centred(audio: np.ndarray, frame_size: int, window: int, shift: int = 0) -> Iterator[np.ndarray]:
    """Windows `[n, window]` float64 centred on the middle of each frame of `[T]`, in blocks of up to `BLOCK` frames.

    shift: samples added to every centre. Silence surrounds the recording. Frames: ceil(T / frame_size).
    """
    frames = num_frames(len(audio), frame_size)
    left = window + abs(shift)
    padded = np.concatenate([np.zeros(left), audio.astype(np.float64), np.zeros(left + frame_size)])
    first = left + frame_size // 2 + shift - window // 2
    views = np.lib.stride_tricks.sliding_window_view(padded, window)[first::frame_size]
    for start in range(0, frames, BLOCK):
        yield views[start : min(start + BLOCK, frames)]


def frame_sizes(sample_rate: int, rates_hz: tuple[float, ...]) -> dict[float, int]:
    """Samples per frame for each rate; all must divide the sample rate."""
    sizes = {rate: round(sample_rate / rate) for rate in rates_hz}
    assert all(size * rate == sample_rate for rate, size in sizes.items())
    return sizes
