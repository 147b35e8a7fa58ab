"""One measured figure of one score, and the loose clip that it is measured on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from curator_data import RATE
from curator_stats import Figure

from auricle.schemas.clip import Clip


@dataclass(frozen=True, slots=True)
class Line:
    """One measured figure; `target` None for comparison only."""

    score: str
    method: str
    condition: str
    measure: str
    figure: Figure
    target: float | None = None
    better: str = "low"


def clip_of(x: np.ndarray, rate: int = RATE) -> Clip:
    """A loose clip."""
    return Clip("", np.ascontiguousarray(x, dtype=np.float32), rate)
