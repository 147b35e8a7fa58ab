"""Whether two people speak at once: their pitches blur each other, and each fills the other's pauses."""

from __future__ import annotations

import numpy as np

from ...schemas.clip import Clip
from ..signal.vad import SPEECH_THRESHOLD, speech_probabilities
from ..waveform import resampled
from .intonation import SAMPLE_RATE as PITCH_RATE
from .intonation import pitch
from .voice_embedding import Weights, shapes

STRENGTHS = (0.1, 0.25, 0.5, 0.75, 0.9)
LEVELS = (0.05, 0.25, 0.5)
FEATURES = 4 + len(STRENGTHS) + len(LEVELS)


def voiced(clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """F0 in Hz and its correlation in the frames of speech, each `[F]`; memoised."""
    if "voiced" not in clip.memo:
        hz, strength = pitch(resampled(clip, PITCH_RATE))
        speech = speech_probabilities(clip) >= SPEECH_THRESHOLD
        count = min(len(hz), len(speech))
        clip.memo["voiced"] = hz[:count][speech[:count]], strength[:count][speech[:count]]
    return clip.memo["voiced"]


def evidence(clip: Clip) -> np.ndarray:
    """`[12]`: strength of pitch (mean, spread, quantiles), level of the frames of speech below the loud ones (spread,
    quantiles, dB), share of speech."""
    strength, level = voiced(clip)[1], shapes(clip)[1]
    below = level - np.percentile(level, 95)
    ratio = float((speech_probabilities(clip) >= SPEECH_THRESHOLD).mean())
    pitched = [strength.mean(), strength.std(), *np.quantile(strength, STRENGTHS)]
    return np.array([*pitched, below.std(), *np.quantile(below, LEVELS), ratio])


def overlap(clip: Clip, w: Weights) -> float:
    """Probability that another voice is heard throughout, where half of all clips are of that kind."""
    z = (evidence(clip) - w["overlap.mean"]) / w["overlap.scale"]
    logit = float(z.clip(-4, 4) @ w["overlap.coefficient"] + w["overlap.intercept"][0])
    return float(1 / (1 + np.exp(-logit)))
