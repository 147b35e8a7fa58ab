"""Mel-frequency cepstra with two orders of differences at a codec's frame times (HuBERT's first targets)."""

from __future__ import annotations

import numpy as np

from ..coding.framing import centred

SAMPLE_RATE = 24_000
TOP_HZ = 7600.0
"""Above this most speech corpora are empty, because they were recorded at 16 kHz."""
WINDOW = 600
"""25 ms."""
FFT = 1024
MELS = 40
CEPSTRA = 13
ROWS = 3 * CEPSTRA
STEP_S = 0.010
"""Frames longer than this are averaged from several measurements, about one per 10 ms as HuBERT has."""
FLOOR = 1e-10


def mel_bank(bands: int, bins: int, sample_rate: int, top_hz: float) -> np.ndarray:
    """`[bins, bands]` triangles of unit height, equally spaced on the mel scale (2595 log10(1 + f/700))."""
    to_mel = 2595 * np.log10(1 + top_hz / 700)
    edges = 700 * (10 ** (np.linspace(0, to_mel, bands + 2) / 2595) - 1)
    frequency = np.linspace(0, sample_rate / 2, bins)[:, None]
    rising = (frequency - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequency) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rising, falling), 0, None)


def cosine_rows(bands: int, rows: int) -> np.ndarray:
    """`[bands, rows]` of the orthonormal DCT-II."""
    n = np.arange(bands)[:, None] + 0.5
    basis = np.cos(np.pi * n * np.arange(rows) / bands) * np.sqrt(2 / bands)
    basis[:, 0] /= np.sqrt(2)
    return basis


_BANK = mel_bank(MELS, FFT // 2 + 1, SAMPLE_RATE, TOP_HZ)
_COSINES = cosine_rows(MELS, CEPSTRA)
_HANN = np.hanning(WINDOW + 2)[1:-1]


def differences(values: np.ndarray) -> np.ndarray:
    """Slope over five measurements of `[D, T]`, edges held (Furui 1986)."""
    padded = np.pad(values, ((0, 0), (2, 2)), mode="edge")
    return (2 * (padded[:, 4:] - padded[:, :-4]) + padded[:, 3:-1] - padded[:, 1:-3]) / 10


def mfcc(audio: np.ndarray, frame_size: int) -> np.ndarray:
    """`[T]` at 24 kHz to `[39, ceil(T / frame_size)]` float32: 13 cepstra, their differences, and those of these."""
    per_frame = max(1, round(frame_size / SAMPLE_RATE / STEP_S))
    while frame_size % per_frame:
        per_frame -= 1
    blocks = []
    for windows in centred(audio, frame_size // per_frame, WINDOW):
        power = np.square(np.abs(np.fft.rfft(windows * _HANN, FFT, axis=1)))
        blocks.append(np.log(power @ _BANK + FLOOR) @ _COSINES)
    cepstra = np.concatenate(blocks).T
    first = differences(cepstra)
    stacked = np.concatenate([cepstra, first, differences(first)])
    frames = -(-len(audio) // frame_size)
    short = frames * per_frame - stacked.shape[1]
    # the last frame averages what it has
    filled = np.pad(stacked, ((0, 0), (0, short)), constant_values=np.nan).reshape(ROWS, frames, per_frame)
    return np.nanmean(filled, axis=2).astype(np.float32)
