"""How the channels of a recording relate: the same signal, two sides of a conversation, or true stereo."""

from __future__ import annotations

import math

import numpy as np

from ...schemas.clip import Clip
from ...schemas.score import NOT_APPLICABLE, Row, ScoreColumn
from ..compiled import irfft, rfft
from ..perclip import PerClip, Unmeasurable
from ..waveform import LOUDEST_PEAK, SILENT_PEAK, frame_power

ENVELOPE_S = 0.032
ENVELOPE_RANGE_DB = 50.0
"""The envelope's floor below its loudest frame: what is quieter says nothing about who speaks."""
SAME_RESIDUAL_DB = -20.0
"""What one channel leaves of the other after the best gain and delay; below this both carry one signal."""
UNRELATED_CORR = 0.2
TURNS_ENV_CORR = 0.3
SILENT_DB = -60.0
"""A channel this far below the loudest one is silent."""
MAX_LAG_S = 0.02
MAX_LAG = 1 << 13
FFT_SIZE = 1 << 15


def lagged_correlation(a: np.ndarray, b: np.ndarray, max_lag: int) -> float:
    """Normalised correlation of `[T]` and `[T]` of largest magnitude over lags up to `max_lag` samples, signed.

    Summed by FFT over chunks of up to 32768 samples; a lag sees its own chunk only, so the correlation of a copy
    delayed by `lag` falls short of 1 by lag / chunk at most.
    """
    norm = float(np.einsum("i,i->", a, a, dtype=np.float64)) * float(np.einsum("i,i->", b, b, dtype=np.float64))
    if norm <= 0:
        return 0.0
    max_lag = min(max_lag, MAX_LAG, a.shape[0] - 1)
    size = min(FFT_SIZE, 1 << (a.shape[0] + max_lag - 1).bit_length())
    chunk = size - max_lag
    cross = np.zeros(size // 2 + 1, dtype=np.complex128)
    for start in range(0, a.shape[0], chunk):
        first, second = a[start : start + chunk], b[start : start + chunk]
        zeros = (0, size - first.shape[0])
        cross += rfft(np.pad(first, zeros)) * np.conj(rfft(np.pad(second, zeros)))
    values = irfft(cross, size)
    near = np.concatenate([values[: max_lag + 1], values[size - max_lag :]]) if max_lag else values[:1]
    return float(near[np.argmax(np.abs(near))]) / norm**0.5


def envelope_db(x: np.ndarray, sample_rate: int) -> np.ndarray:
    """Level of each 32 ms frame in dB, floored 50 dB below the loudest."""
    power = frame_power(x, max(1, round(ENVELOPE_S * sample_rate)))
    return 10 * np.log10(np.maximum(power, float(power.max()) * 10 ** (-ENVELOPE_RANGE_DB / 10)))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson correlation of `[N]` and `[N]`; 0.0 where one is constant."""
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.dot(a, a)) * float(np.dot(b, b))
    return float(np.dot(a, b)) / norm**0.5 if norm > 0 else 0.0


class ChannelsCurator(PerClip):
    """The clip's channel against the sibling it is most like."""

    name = "channels"
    version = 1
    columns = (
        ScoreColumn(
            "channel_relation",
            "string",
            "text",
            "mono, or of this channel to the most similar other: dual_mono, antiphase, conversation (sides take "
            "turns), stereo, silent (this one is), only_signal (all others are silent)",
        ),
        ScoreColumn("stereo_corr", "float32", "1", "Correlation of the two channels at zero lag, -1 to 1"),
        ScoreColumn("side_db", "float32", "dB", "Power of left less right over the two channels' power; -200 if equal"),
        ScoreColumn("env_corr", "float32", "1", "Correlation of the two channels' 32 ms level in dB, -1 to 1"),
    )
    needs_signal = False

    def measure(self, clip: Clip) -> Row:
        """Relation of one clip."""
        if len(clip.siblings) < 2:
            return {"channel_relation": "mono", "reason": f"{NOT_APPLICABLE}: one channel"}
        own, others = clip.siblings[clip.channel], [s for i, s in enumerate(clip.siblings) if i != clip.channel]
        if any(other.shape != own.shape for other in others):
            raise Unmeasurable("channels of different length")
        peaks = [float(np.abs(channel).max(initial=0.0)) for channel in (own, *others)]
        if not all(p <= LOUDEST_PEAK for p in peaks):
            raise Unmeasurable("a channel with samples that are not finite or no audio")
        if max(peaks) < SILENT_PEAK:
            raise Unmeasurable("digital silence on all channels")
        quiet = max(peaks) * 10 ** (SILENT_DB / 20)
        own, *others = (x - x.mean(dtype=np.float64).astype(np.float32) for x in (own, *others))
        if np.abs(own).max() <= quiet:
            return {"channel_relation": "silent", "reason": f"{NOT_APPLICABLE}: this channel is silent"}
        heard = [other for other in others if np.abs(other).max() > quiet]
        if not heard:
            return {"channel_relation": "only_signal", "reason": f"{NOT_APPLICABLE}: all other channels are silent"}
        max_lag = round(MAX_LAG_S * clip.sample_rate)
        best, other = max(
            ((lagged_correlation(own, other, max_lag), other) for other in heard), key=lambda pair: abs(pair[0])
        )
        return _relation(own, other, best, clip.sample_rate)


def _relation(a: np.ndarray, b: np.ndarray, lagged: float, sample_rate: int) -> Row:
    energy_a = float(np.einsum("i,i->", a, a, dtype=np.float64))
    energy_b = float(np.einsum("i,i->", b, b, dtype=np.float64))
    difference = a - b
    side = float(np.einsum("i,i->", difference, difference, dtype=np.float64)) / (energy_a + energy_b)
    env_corr = correlation(envelope_db(a, sample_rate), envelope_db(b, sample_rate))
    if 1 - lagged**2 <= 10 ** (SAME_RESIDUAL_DB / 10):
        relation = "dual_mono" if lagged > 0 else "antiphase"
    elif abs(lagged) < UNRELATED_CORR and env_corr < TURNS_ENV_CORR:
        relation = "conversation"
    else:
        relation = "stereo"
    return {
        "channel_relation": relation,
        "stereo_corr": float(np.einsum("i,i->", a, b, dtype=np.float64)) / (energy_a * energy_b) ** 0.5,
        "side_db": 10 * math.log10(side) if side > 1e-20 else -200.0,
        "env_corr": env_corr,
    }
