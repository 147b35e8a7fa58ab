"""How far an SNR may be off: a standard deviation from what the method knows of its own weakness.

A small network reads the evidence of one clip and gives the scale of its error. It was fitted on clips in noise that
the acoustic network had not heard. The scale was set so that intervals of 90 % cover 90 % of the clips of noises that
the fit had not seen either (`benchmarks/snr_uncertainty.py`).
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


def sigma_db(x: np.ndarray, path: Path = WEIGHTS) -> float:
    """Standard deviation (dB) of the error of an SNR with this evidence `[16]`."""
    w = _weights(path)
    hidden = np.tanh(w["hidden"] @ ((x - w["mean"]) / w["spread"]) + w["hidden_bias"])
    return min(max(float(math.exp(float(w["out"] @ hidden + w["out_bias"]))) * float(w["scale"]), LEAST_DB), MOST_DB)


def sigma_weights(path: Path = WEIGHTS) -> str:
    """SHA-256 of the weights, for fingerprints."""
    return weights_sha256(path)


@cache
def _weights(path: Path) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in json.loads(path.read_text(encoding="utf-8"))["weights"].items()}
