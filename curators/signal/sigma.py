"""How far a score may be off: a standard deviation from what the method knows of its own weakness.

A small network reads the evidence of one clip and gives the scale of its error, one network for each score. That of the
SNR was fitted on clips in noise that the acoustic network had not heard (`benchmarks/snr_uncertainty.py`), those of C50
and speech quality on rooms and disturbances of other kinds than the acoustic network's (`acoustic_uncertainty.py`). The
scale was set so that intervals of 90 % cover 90 % of the clips of sources that the fit had not seen either.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..models import weights_sha256
from .learned import Acoustics
from .vad import FRAME_S

WEIGHTS = Path(__file__).parents[1] / "weights" / "snr_sigma.json"
LEAST_DB, MOST_DB = 0.3, 20.0
"""Range of the standard deviation: no estimate is better than the first, none says anything beyond the last."""
FEATURES = (
    "log_pause_s",
    "log_unsteadiness",
    "disagreement",
    "pauses_above_network",
    "snr",
    "high",
    "low",
    "doubt",
    "log_speech_s",
    "music",
    "noise",
    "ambivalent",
    "estoi",
    "c50",
    "by_pauses",
    "by_network",
)
"""What `evidence` gives, in order."""
ACOUSTIC_WEIGHTS = Path(__file__).parents[1] / "weights" / "acoustic_sigma.json"
C50_LEAST_DB = 0.5
QUALITY_LEAST, QUALITY_MOST = 0.01, 0.5
ACOUSTIC_FEATURES = (
    "c50",
    "c50_high",
    "estoi",
    "estoi_low",
    "snr",
    "snr_low",
    "doubt",
    "log_speech_s",
    "one_piece",
    "c50_apart",
    "estoi_apart",
    "c50_off",
    "estoi_off",
    "music",
    "noise",
    "ambivalent",
    "far",
)
"""What `acoustic_evidence` gives, in order. apart: how far pieces of the clip differ from each other; off: from the
whole; far: how far the network's inner values are from those that it has on clips of known truth."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the methods found of one clip."""

    snr_db: float
    """The score."""
    method: str
    """vad, network, both or recording."""
    pauses_db: float | None
    """From the pauses; None without any."""
    network_db: float | None
    """From the network; None where it tells nothing apart."""
    pause_s: float
    unsteadiness: float
    """Standard deviation of the pauses' power over its mean; 0 without pauses."""


def evidence(found: Measured, heard: Acoustics, speech: np.ndarray) -> np.ndarray:
    """`[16]` float64 (`FEATURES`) of one clip; speech: the detector's probability per 32 ms frame, `[F]`."""
    apart = 0.0
    if found.pauses_db is not None and found.network_db is not None:
        apart = min(max(found.pauses_db - found.network_db, -30.0), 30.0)
    return np.array(
        [
            math.log(found.pause_s + 0.05),
            math.log(found.unsteadiness + 0.05),
            abs(apart) / 10,
            apart / 10,
            found.snr_db / 20,
            max(0.0, found.snr_db - 25) / 10,
            max(0.0, 5 - found.snr_db) / 10,
            heard.doubt,
            math.log(float((speech >= 0.5).sum()) * FRAME_S + 0.1),
            float(heard.present[:, 1].mean()),
            float(heard.present[:, 2].mean()),
            float(((speech > 0.1) & (speech < 0.9)).mean()),
            heard.estoi,
            heard.c50_db / 20,
            float(found.method == "vad"),
            float(found.method == "network"),
        ]
    )


def acoustic_evidence(heard: Acoustics, speech: np.ndarray) -> np.ndarray:
    """`[17]` float64 (`ACOUSTIC_FEATURES`) of one clip; speech: the detector's probability per 32 ms frame, `[F]`."""
    far = _weights(ACOUSTIC_WEIGHTS)["far"]
    return np.append(symptoms(heard, speech), distance(heard.hidden, far["mean"], far["spread"]))


def distance(hidden: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Log of the mean squared deviation of inner values `[..., 64]` from their mean `[64]`, in spreads `[64]`."""
    return np.log((((hidden - mean) / spread) ** 2).mean(axis=-1) + 0.1)


def symptoms(heard: Acoustics, speech: np.ndarray) -> np.ndarray:
    """`acoustic_evidence` without its last, which needs to know the clips of the fit."""
    apart, off = np.zeros(2), np.zeros(2)
    if heard.pieces.shape[0] > 1:
        apart, off = heard.pieces.std(axis=0), heard.pieces.mean(axis=0) - (heard.c50_db, heard.estoi)
    snr = min(max(heard.snr_db or 0.0, -20.0), 60.0)
    return np.array(
        [
            heard.c50_db / 20,
            max(0.0, heard.c50_db - 25) / 10,
            heard.estoi,
            max(0.0, 0.5 - heard.estoi),
            snr / 20,
            max(0.0, 5 - snr) / 10,
            heard.doubt,
            math.log(float((speech >= 0.5).sum()) * FRAME_S + 0.1),
            float(heard.pieces.shape[0] < 2),
            float(apart[0]) / 5,
            float(apart[1]) * 5,
            float(off[0]) / 5,
            float(off[1]) * 5,
            float(heard.present[:, 1].mean()),
            float(heard.present[:, 2].mean()),
            float(((speech > 0.1) & (speech < 0.9)).mean()),
        ]
    )


def sigma_db(x: np.ndarray, path: Path = WEIGHTS) -> float:
    """Standard deviation (dB) of the error of an SNR with this evidence `[16]`."""
    return min(max(_scale(x, _weights(path)["weights"]), LEAST_DB), MOST_DB)


def c50_sigma_db(x: np.ndarray) -> float:
    """Standard deviation (dB) of the error of a C50 with this evidence `[17]`."""
    return min(max(_scale(x, _weights(ACOUSTIC_WEIGHTS)["c50_db"]), C50_LEAST_DB), MOST_DB)


def quality_sigma(x: np.ndarray) -> float:
    """Standard deviation of the error of a predicted ESTOI with this evidence `[17]`."""
    return min(max(_scale(x, _weights(ACOUSTIC_WEIGHTS)["speech_quality"]), QUALITY_LEAST), QUALITY_MOST)


def sigma_weights(path: Path = WEIGHTS) -> str:
    """SHA-256 of the weights, for fingerprints."""
    return weights_sha256(path)


def _scale(x: np.ndarray, w: dict[str, np.ndarray]) -> float:
    hidden = np.tanh(w["hidden"] @ ((x - w["mean"]) / w["spread"]) + w["hidden_bias"])
    return float(math.exp(min(float(w["out"] @ hidden + w["out_bias"]), 50.0))) * float(w["scale"])


@cache
def _weights(path: Path) -> dict[str, dict[str, np.ndarray]]:
    card = json.loads(path.read_text(encoding="utf-8"))
    return {
        part: {name: np.asarray(value) for name, value in card[part].items()}
        for part in ("weights", "c50_db", "speech_quality", "far")
        if part in card
    }
