"""Extended short-time objective intelligibility: how much of clean speech survives in a degraded copy."""

from __future__ import annotations

import numpy as np

SAMPLE_RATE = 10_000
FRAME, HOP, FFT = 256, 128, 512
NUM_BANDS, LOWEST_HZ = 15, 150.0
SEGMENT_FRAMES = 30
RANGE_DB = 40.0


def estoi(clean: np.ndarray, degraded: np.ndarray, sample_rate: int) -> float | None:
    """ESTOI of `degraded` against time-aligned `clean`, both `[T]`: 0 (nothing) to 1; None under 0.4 s of speech.

    Jensen and Taal, IEEE/ACM TASLP 24(11), 2016: 15 third-octave bands from 150 Hz, segments of 384 ms, frames more
    than 40 dB below the loudest left out.
    """
    from ..waveform import resample

    x, y = (resample(v, sample_rate, SAMPLE_RATE).astype(np.float64) for v in (clean, degraded))
    window = np.hanning(FRAME + 2)[1:-1]
    starts = np.arange(0, x.shape[0] - FRAME, HOP)
    if starts.shape[0] < SEGMENT_FRAMES:
        return None
    xf, yf = (np.lib.stride_tricks.sliding_window_view(v, FRAME)[starts] * window for v in (x, y))
    level = 20 * np.log10(np.linalg.norm(xf, axis=1) + 1e-12)
    heard = level > level.max() - RANGE_DB
    x, y = (_overlap_add(f[heard]) for f in (xf, yf))
    xb, yb = (_band_envelopes(v, window) for v in (x, y))
    if xb.shape[1] < SEGMENT_FRAMES:
        return None
    segments_x, segments_y = (
        np.lib.stride_tricks.sliding_window_view(b, SEGMENT_FRAMES, axis=1).transpose(1, 0, 2) for b in (xb, yb)
    )
    normal_x, normal_y = (_normalised(_normalised(s, 2), 1) for s in (segments_x, segments_y))
    return float(np.sum(normal_x * normal_y) / SEGMENT_FRAMES / segments_x.shape[0])


def _overlap_add(frames: np.ndarray) -> np.ndarray:
    out = np.zeros((frames.shape[0] - 1) * HOP + FRAME)
    for i, frame in enumerate(frames):
        out[i * HOP : i * HOP + FRAME] += frame
    return out


def _band_envelopes(x: np.ndarray, window: np.ndarray) -> np.ndarray:
    starts = np.arange(0, x.shape[0] - FRAME, HOP)
    if not starts.shape[0]:
        return np.zeros((NUM_BANDS, 0))
    frames = np.lib.stride_tricks.sliding_window_view(x, FRAME)[starts] * window
    return np.sqrt(_third_octaves() @ (np.abs(np.fft.rfft(frames, FFT, axis=1)) ** 2).T)


def _third_octaves() -> np.ndarray:
    hz = np.linspace(0, SAMPLE_RATE, FFT + 1)[: FFT // 2 + 1]
    centres = LOWEST_HZ * 2.0 ** (np.arange(NUM_BANDS) / 3)
    bands = np.zeros((NUM_BANDS, hz.shape[0]))
    for k, centre in enumerate(centres):
        low = int(np.argmin((hz - centre * 2 ** (-1 / 6)) ** 2))
        high = int(np.argmin((hz - centre * 2 ** (1 / 6)) ** 2))
        bands[k, low:high] = 1
    return bands


def _normalised(segments: np.ndarray, axis: int) -> np.ndarray:
    centred = segments - segments.mean(axis=axis, keepdims=True)
    return centred / (np.linalg.norm(centred, axis=axis, keepdims=True) + 1e-12)
