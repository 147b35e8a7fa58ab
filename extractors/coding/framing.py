"""Audio around frame centres: how acoustic measures share the time axis of a codec.

Frame i of a codec covers samples [i, i+1) * frame_size; a measure of frame i looks at a window centred on the middle
of that interval, so that codes and measures with equal index describe the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...schemas.errors import ClipError
from ...schemas.tables import FailureReason
from ...schemas.time import num_frames, resampled_length
from .resample import Reader, resample_span

BLOCK = 512
"""Frames per block: bounds memory on long recordings."""
READ_S = 60
"""Seconds that are resampled at a time."""


def mono_at(waveform: np.ndarray, sample_rate: int, target_rate: int) -> np.ndarray:
    """`[C, T]` at `sample_rate` to `[T']` float32 at `target_rate`, channels averaged.

    Raises `ClipError` for no samples, NaN or Inf, or more than two channels.
    """
    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim != 2 or waveform.shape[0] not in (1, 2):
        raise ClipError(FailureReason.EXTRACTION, f"audio must be [1 or 2, T], found shape {list(waveform.shape)}")
    return read_mono_at(lambda start, end: waveform[:, start:end], waveform.shape[1], sample_rate, target_rate)


def read_mono_at(read: Reader, num_samples: int, sample_rate: int, target_rate: int) -> np.ndarray:
    """`mono_at` of a recording that is read a minute at a time: the result is all that is held."""
    if num_samples < 1:
        raise ClipError(FailureReason.NO_SAMPLES, "audio has no samples")

    def mono(start: int, end: int) -> np.ndarray:
        audio = read(start, end)
        if audio.shape[0] not in (1, 2):
            raise ClipError(FailureReason.EXTRACTION, f"audio must be [1 or 2, T], found {audio.shape[0]} channels")
        if not np.isfinite(audio).all():
            raise ClipError(FailureReason.NOT_FINITE, "audio holds NaN or Inf")
        return audio.mean(axis=0, keepdims=True, dtype=np.float32)

    out = np.empty(resampled_length(num_samples, sample_rate, target_rate), np.float32)
    for start in range(0, len(out), READ_S * target_rate):
        end = min(start + READ_S * target_rate, len(out))
        out[start:end] = resample_span(mono, num_samples, sample_rate, target_rate, start, end)[0]
    return out


def centred(audio: np.ndarray, frame_size: int, window: int, shift: int = 0) -> Iterator[np.ndarray]:
    """Windows `[n, window]` float64 centred on the middle of each frame of `[T]`, in blocks of up to `BLOCK` frames.

    shift: samples added to every centre. Silence surrounds the recording. Frames: ceil(T / frame_size).
    """
    frames = num_frames(len(audio), frame_size)
    offset = frame_size // 2 + shift - window // 2
    for start in range(0, frames, BLOCK):
        stop = min(start + BLOCK, frames)
        low, high = start * frame_size + offset, (stop - 1) * frame_size + offset + window
        piece = np.zeros(high - low)
        inside = slice(max(low, 0), max(min(high, len(audio)), 0))
        piece[inside.start - low :][: max(inside.stop - inside.start, 0)] = audio[inside]
        yield np.lib.stride_tricks.sliding_window_view(piece, window)[::frame_size]


def frame_sizes(sample_rate: int, rates_hz: tuple[float, ...]) -> dict[float, int]:
    """Samples per frame for each rate; all must divide the sample rate."""
    sizes = {rate: round(sample_rate / rate) for rate in rates_hz}
    assert all(size * rate == sample_rate for rate, size in sizes.items())
    return sizes
