"""Active speech level after ITU-T P.56, the "signal" in every signal-to-noise ratio here."""

from __future__ import annotations

import numpy as np

from ..compiled import lfilter

MARGIN_DB = 15.9
HANGOVER_S = 0.2
TIME_CONSTANT_S = 0.03
THRESHOLDS = 2.0 ** np.arange(-15, 1)
"""Candidate activity thresholds, one per factor of two as in P.56 method B, relative to the clip's peak."""


def active_speech_power(waveform: np.ndarray, sample_rate: int) -> tuple[float, float]:
    """Mean power while speech is active and the activity factor of clean speech `[T]` float.

    ITU-T P.56 (12/2011) method B: a two-stage exponential envelope (30 ms), a 200 ms hangover, and the threshold
    that lies 15.9 dB below the active level it yields, interpolated between factor-of-two thresholds. Returns
    (0.0, 0.0) for silence. Thresholds are relative to the clip's own peak, so gain changes nothing but the power.
    """
    x = np.asarray(waveform, dtype=np.float64)
    largest = float(np.max(np.abs(x))) if x.size else 0.0
    if largest == 0.0:
        return 0.0, 0.0
    x = x / largest
    g = np.exp(-1.0 / (sample_rate * TIME_CONSTANT_S))
    smoothing = np.array([1 - g]), np.array([1, -g])
    envelope = lfilter(*smoothing, lfilter(*smoothing, np.abs(x)))
    energy = float(np.dot(x, x))
    hangover = round(HANGOVER_S * sample_rate)
    power, activity = _margin_crossing(envelope, energy, x.size, hangover)
    return power * largest**2, activity


def active_frame_power(power: np.ndarray, hop_s: float) -> float:
    """The same from frame powers `[F]` at steps of `hop_s` seconds: mean power while speech is active.

    The envelope is the frames' root mean square, their length standing in for P.56's smoothing; on read speech and
    steps of 32 ms within 0.3 dB (one standard deviation) of the waveform's. 0.0 for silence.
    """
    largest = float(power.max()) if power.size else 0.0
    if largest <= 0.0:
        return 0.0
    relative = power.astype(np.float64) / largest
    active, _ = _margin_crossing(np.sqrt(relative), float(relative.sum()), relative.size, round(HANGOVER_S / hop_s))
    return active * largest


def _margin_crossing(envelope: np.ndarray, energy: float, count: int, hangover: int) -> tuple[float, float]:
    """Active power and activity: where the active level lies `MARGIN_DB` over the threshold that yields it."""
    active_db, threshold_db = [], []
    for threshold in THRESHOLDS:
        active = _active_samples(envelope >= threshold, hangover)
        if active == 0:
            break
        active_db.append(10 * np.log10(energy / active))
        threshold_db.append(20 * np.log10(threshold))
    margin = np.array(active_db) - np.array(threshold_db)
    if not margin.size or margin[0] <= MARGIN_DB:
        return energy / count, 1.0
    if np.all(margin > MARGIN_DB):
        level_db = active_db[-1]
    else:
        below = int(np.argmax(margin <= MARGIN_DB))
        share = (margin[below - 1] - MARGIN_DB) / (margin[below - 1] - margin[below])
        level_db = active_db[below - 1] + share * (active_db[below] - active_db[below - 1])
    power = float(10 ** (level_db / 10))
    return power, energy / (power * count)


def _active_samples(above: np.ndarray, hangover: int) -> int:
    """Samples within `hangover` after (or at) a sample whose envelope is above the threshold."""
    index = np.flatnonzero(above)
    if not index.size:
        return 0
    gaps = np.diff(np.append(index, above.shape[0]))
    return int(np.minimum(gaps, hangover + 1).sum())
