"""Pictures of audio made on the server: a spectrogram as a small PNG, and a waveform's outline.

The browser never decodes a recording to draw it, and the pages need no plotting library. Frequency is linear up to
the Nyquist frequency, because that is where band-limited and upsampled recordings show.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

RANGE_DB = 80.0
"""Power below the loudest bin that is still told apart; the floor of the colour scale."""
SHADES = 48
_WINDOW_S = 0.032
# perceptually even, dark to bright, after matplotlib's magma
_ANCHORS = ("000004", "1c1044", "4f127b", "812581", "b5367a", "e55964", "fb8761", "fec287", "fcfdbf")


@dataclass(frozen=True)
class Spectrogram:
    """A picture of power over time (x) and frequency (y, 0 Hz at the bottom)."""

    png: bytes
    width: int
    height: int
    duration_s: float
    max_hz: float
    """Frequency of the top edge: half the sample rate, or less where that was asked for."""
    peak_db: float
    """Power of the loudest bin, dB re a full-scale sine; the bright end of the scale. -inf for silence."""


def power_db(
    waveform: np.ndarray, sample_rate: int, columns: int, rows: int, top_hz: float | None = None
) -> np.ndarray:
    """`[rows, columns]` float64: mean power per cell in dB re a full-scale sine, lowest frequency first.

    waveform: `[T]` float32 at `sample_rate` Hz. Hann windows of 32 ms (the next power of two), at least one per column
    and overlapping by half or more where the clip is short; the loudest bin of each cell's band counts, so that a
    steady tone keeps its level however coarse the picture. top_hz: where the rows end; half the sample rate by default
    and at most.
    """
    size = 1 << max(6, round(_WINDOW_S * sample_rate) - 1).bit_length()
    signal = np.nan_to_num(np.asarray(waveform, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    # windows lie inside the clip: padding its ends would draw a click there that nobody hears
    signal = np.pad(signal, (0, max(0, size - signal.size)))
    hop = max(1, min(size // 2, (signal.size - size) // columns))
    window = np.hanning(size + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(signal, size)[::hop]
    shown = min(1.0, 1.0 if top_hz is None else 2 * top_hz / sample_rate)
    bands = np.linspace(0, round(shown * (size // 2)) + 1, rows + 1).astype(int)
    edges = np.linspace(0, len(frames), columns + 1).astype(int)
    cells = np.zeros((rows, columns))
    for column in range(columns):
        first = min(edges[column], len(frames) - 1)
        block = frames[first : max(edges[column + 1], first + 1)]
        # 2 / sum(w): a full-scale sine gives 1
        power = np.mean(np.abs(np.fft.rfft(block * window)) ** 2, axis=0) * (2 / window.sum()) ** 2
        power = power[: bands[-1]]
        cells[:, column] = np.maximum.reduceat(power, np.minimum(bands[:-1], power.size - 1))
    return 10 * np.log10(np.maximum(cells, 1e-20))


def spectrogram(
    waveform: np.ndarray, sample_rate: int, width: int = 320, height: int = 96, top_hz: float | None = None
) -> Spectrogram:
    """Draw `[T]` float32 at `sample_rate` Hz; any length from 1 sample up. Colours span `RANGE_DB` below the peak.

    top_hz: the upper edge, so that sounds at two rates can be seen beside each other; at most half the sample rate.
    """
    top = min(sample_rate / 2, top_hz or sample_rate / 2)
    cells = power_db(waveform, sample_rate, width, height, top)
    peak = float(cells.max())
    if peak <= -190:  # nothing but zeros: a flat dark picture, not amplified noise
        shades = np.zeros(cells.shape, np.uint8)
        peak = float("-inf")
    else:
        level = np.clip(1 + (cells - peak) / RANGE_DB, 0, 1)
        shades = np.rint(level * (SHADES - 1)).astype(np.uint8)
    png = palette_png(shades[::-1], _palette())
    return Spectrogram(png, width, height, len(waveform) / sample_rate, top, peak)


def palette_png(pixels: np.ndarray, palette: np.ndarray) -> bytes:
    """A PNG of `[H, W]` uint8 indices into `[N, 3]` uint8 colours (PNG specification, colour type 3)."""
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # a zero before each row: filter "none", best for palettes
    rows[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = [
        (b"IHDR", header),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    ]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def outline(waveform: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest sample in each of `columns` equal spans, two `[columns]` float32; non-finite as 0."""
    signal = np.nan_to_num(np.asarray(waveform, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if signal.size < columns:
        signal = np.repeat(signal, -(-columns // max(1, signal.size))) if signal.size else np.zeros(columns, np.float32)
    starts = np.linspace(0, signal.size, columns, endpoint=False).astype(int)
    return np.minimum.reduceat(signal, starts), np.maximum.reduceat(signal, starts)


def _palette() -> np.ndarray:
    anchors = np.array([[int(a[i : i + 2], 16) for i in (0, 2, 4)] for a in _ANCHORS], float)
    at = np.linspace(0, len(anchors) - 1, SHADES)
    return np.stack([np.interp(at, range(len(anchors)), anchors[:, c]) for c in range(3)], 1).round().astype(np.uint8)
