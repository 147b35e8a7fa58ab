"""Plain signal checks: level, peak, clipping, DC, bandwidth, silence."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.config import Strict
from ...schemas.score import Row, ScoreColumn
from ..perclip import PerClip
from ..waveform import frame_power, peak, quantiser_step

BLOCK = 1 << 20
"""Samples per block: bounds memory on long clips."""
SILENCE_FRAME_S = 0.02
BIN_HZ = 31.25
"""Aim of the spectrum's resolution: 512 points at 16 kHz."""
COARSE_STEP = 1e-3
LONE_PEAKS = 20
"""More peaks than this of one sample each at the very same height are a steady tone's, not clipping's."""
LOWEST_PEAK_HZ = 150.0
"""The spectrum's peak is looked for above this: mains hum and rumble must not hide the speech band."""
WALL_HZ, WALL_DB = 250.0, 12.0
"""A spectrum that falls faster than this ends there, by a filter."""
FLOOR_DBFS = -200.0


class SignalOptions(Strict):
    """Parameters of `signal`."""

    clip_level: float = Field(
        default=0.9999, gt=0.9, lt=1, description="Share of the clip's own peak from which a sample may be clipped"
    )
    clip_run: int = Field(default=3, ge=2, description="Consecutive such samples that make clipping by themselves")
    bandwidth_db: float = Field(
        default=50.0, gt=0, description="The bandwidth ends where the mean spectrum stays this far (dB) below its peak"
    )
    silence_dbfs: float = Field(
        default=-60.0, lt=0, description="Level (dBFS, RMS) under which a 20 ms frame is silent"
    )


def decibels(power: float) -> float:
    """10 log10, not below -200."""
    return 10 * math.log10(power) if power > 10 ** (FLOOR_DBFS / 10) else FLOOR_DBFS


def clip_ratio(x: np.ndarray, level: float = 0.9999, run: int = 3) -> float:
    """Share of samples that lie on one polarity's own peak (times `level`) where clipping put them there, `[T]` float.

    Either at least two separate peaks reach the very same height, or one stays there for `run` samples. The height
    is the clip's own, so that clipping is found after a change of gain; each polarity has its own, so that a DC offset
    does not hide it. In coarsely quantised audio (steps over 0.1 % of the peak) equal peaks happen by chance, and
    only runs count. Not seen after lossy coding or resampling, which blur the flat tops.
    """
    if x.size < run or float(x.max()) == float(x.min()):
        return 0.0
    coarse = quantiser_step(x) > COARSE_STEP * float(max(x.max(), -x.min()))
    count = 0
    for sign in (1.0, -1.0):
        largest = float(x.max()) if sign > 0 else -float(x.min())
        if largest > 0:
            count += _clipped(x, sign, level * largest, run, coarse)
    return count / x.shape[0]


def _clipped(x: np.ndarray, sign: float, height: float, run: int, runs_only: bool) -> int:
    """Samples of `sign * x` at or above `height` that count as clipped, block by block."""
    on_top = in_runs = peaks = pairs = 0
    for start in range(0, x.shape[0], BLOCK):
        # a run across the border counts in the block that holds its samples: look `run` beyond both ends
        low, high = max(start - run, 0), min(start + BLOCK + run, x.shape[0])
        hot = sign * x[low:high] >= height
        own = slice(start - low, start - low + min(BLOCK, x.shape[0] - start))
        on_top += int(hot[own].sum())
        rises = hot & ~np.concatenate([[False], hot[:-1]])
        peaks += int(rises[own].sum())
        pairs += int((hot & ~rises)[own].sum())
        core = hot[: hot.shape[0] - run + 1].copy()
        for shift in range(1, run):
            core &= hot[shift : hot.shape[0] - run + 1 + shift]
        inside = np.zeros(hot.shape[0], dtype=bool)
        for shift in range(run):
            inside[shift : shift + core.shape[0]] |= core
        in_runs += int(inside[own].sum())
    if peaks < 2 or runs_only or (pairs == 0 and peaks > LONE_PEAKS):
        return in_runs
    return on_top


def blackman_harris(size: int) -> np.ndarray:
    """The periodic window `[size]` float64, bit for bit that of `scipy.signal.windows`, which takes a second to import.

    Four terms, Harris (1978).
    """
    angle = np.linspace(-np.pi, np.pi, size + 1)
    window = np.zeros(size + 1)
    for k, term in enumerate((0.35875, 0.48829, 0.14128, 0.01168)):
        window += term * np.cos(k * angle)
    return window[:-1]


def mean_spectrum(x: np.ndarray, sample_rate: int) -> tuple[np.ndarray, float]:
    """Mean power spectrum of `[T]` and its bin width in Hz: Blackman-Harris, bins of about 31 Hz, half overlap."""
    size = 1 << max(5, round(math.log2(sample_rate / BIN_HZ)))
    window = blackman_harris(size).astype(np.float32)
    if x.shape[0] < size:
        x = np.concatenate([x, np.zeros(size - x.shape[0], dtype=x.dtype)])
    hop, total, count = size // 2, np.zeros(size // 2 + 1), 0
    step = max(1, BLOCK // size) * hop
    for start in range(0, x.shape[0] - size + 1, step):
        stop = min(start + step + size - hop, x.shape[0])
        rows = np.lib.stride_tricks.sliding_window_view(x[start:stop], size)[::hop]
        spectrum = np.fft.rfft(rows * window, axis=1)
        total += (spectrum.real**2 + spectrum.imag**2).sum(axis=0)
        count += rows.shape[0]
    return total / count, sample_rate / size


def bandwidth_hz(x: np.ndarray, sample_rate: int, below_peak_db: float = 50.0) -> float | None:
    """Highest frequency whose mean power is within `below_peak_db` of the spectrum's peak, Hz; None for silence.

    The rule of NeMo's speech data processor (EstimateBandwidth): blackmanharris, 50 dB; and from there on to where
    the spectrum drops by more than `WALL_DB` in 250 Hz and does not come back. Sampling down leaves such a wall; a
    loud vowel over a quiet background leaves none, and by the first rule alone passes for a telephone call.
    """
    return edge_hz(*mean_spectrum(x, sample_rate), below_peak_db)


def edge_hz(spectrum: np.ndarray, bin_hz: float, below_peak_db: float = 50.0) -> float | None:
    """`bandwidth_hz` of a mean power spectrum `[K]` with bins of `bin_hz`."""
    lowest = min(round(LOWEST_PEAK_HZ / bin_hz), spectrum.shape[0] - 1)
    largest = float(spectrum[lowest:].max())
    if largest <= 0:
        return None
    edge = int(np.flatnonzero(spectrum >= largest * 10 ** (-below_peak_db / 10))[-1])
    step = max(1, round(WALL_HZ / bin_hz))
    while edge + 1 < spectrum.shape[0]:
        below, above = float(spectrum[max(lowest, edge - 2 * step) : edge + 1].mean()), spectrum[edge + 1 :]
        if above[:step].mean() < below * 10 ** (-WALL_DB / 10) and above.max() < below:
            break
        edge = min(edge + step, spectrum.shape[0] - 1)
    return edge * bin_hz


def _energy(x: np.ndarray) -> float:
    """Sum of squares of `[T]`, accumulated in float64."""
    return float(np.einsum("i,i->", x, x, dtype=np.float64))


class SignalCurator(PerClip):
    """Level, peak, clipping, DC, bandwidth and silence of the samples as they are."""

    name = "signal"
    version = 3
    columns = (
        ScoreColumn("level_dbfs", "float32", "dB", "RMS about the mean, re full scale 1.0; -200 for digital silence"),
        ScoreColumn("peak_dbfs", "float32", "dB", "Largest magnitude re full scale 1.0; above 0 in float files"),
        ScoreColumn(
            "clip_ratio",
            "float32",
            "1",
            "Share of samples on flat tops: several peaks, or consecutive samples, at the clip's own peak",
        ),
        ScoreColumn("dc_offset", "float32", "1", "Mean of the samples, full scale 1.0"),
        ScoreColumn(
            "bandwidth_hz", "float32", "Hz", "Frequency above which the mean spectrum stays 50 dB under its peak"
        ),
        ScoreColumn("bandwidth_ratio", "float32", "1", "bandwidth_hz over the file's Nyquist frequency"),
        ScoreColumn("silence_ratio", "float32", "1", "Share of 20 ms frames below -60 dBFS RMS"),
    )
    Options = SignalOptions
    needs_signal = False

    def measure(self, clip: Clip) -> Row:
        """The numbers of one clip; bandwidth is null for silence."""
        x, options = clip.waveform, self.options
        mean = float(np.mean(x, dtype=np.float64))
        largest = peak(clip)
        centred = x - np.float32(mean)
        power = frame_power(centred, max(1, round(SILENCE_FRAME_S * clip.sample_rate)))
        silent = power < 10 ** (options.silence_dbfs / 10)
        # float32 subtraction leaves rounding of the mean behind: nothing above it means a constant
        flat = float(power.max()) <= (1e-6 * largest) ** 2
        bandwidth = None if flat else bandwidth_hz(centred, clip.sample_rate, options.bandwidth_db)
        return {
            "level_dbfs": FLOOR_DBFS if flat else decibels(_energy(centred) / x.shape[0]),
            "peak_dbfs": decibels(largest**2),
            "clip_ratio": clip_ratio(x, options.clip_level, options.clip_run),
            "dc_offset": mean,
            "bandwidth_hz": bandwidth,
            "bandwidth_ratio": None if bandwidth is None else bandwidth / (clip.sample_rate / 2),
            "silence_ratio": float(silent.mean()),
            "reason": None if bandwidth is not None else "unmeasurable: silence has no bandwidth",
        }
