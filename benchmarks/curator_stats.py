"""Figures with their uncertainty: number of clips and speakers, and an interval from resampling speakers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number."""

    value: float
    low: float
    high: float
    clips: int
    groups: int
    unit: str = "speakers"

    def text(self, digits: int = 2) -> str:
        """`1.41 [1.30, 1.53]`."""
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"

    def count(self) -> str:
        """`800 clips, 25 speakers`."""
        return f"{self.clips} clips, {self.groups} {self.unit}"


def figure(
    measure: Callable[[np.ndarray], float], rows: np.ndarray, groups: Sequence[str], unit: str = "speakers"
) -> Figure:
    """`measure` of `[N, ...]` rows with a 95 % interval: percentile bootstrap over whole groups, 500 resamples."""
    names = np.asarray(groups)
    distinct = sorted(set(groups))
    members = [np.flatnonzero(names == g) for g in distinct]
    rng = np.random.default_rng(0)
    values = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        value = measure(rows[chosen])
        if np.isfinite(value):
            values.append(value)
    low, high = np.percentile(values, [2.5, 97.5]) if values else (np.nan, np.nan)
    return Figure(float(measure(rows)), float(low), float(high), rows.shape[0], len(distinct), unit)


def verdict(f: Figure, target: float, better: str) -> str:
    """met when the point reaches the target, open when only the interval does, else missed. better: "low", "high"."""
    reaches = (lambda v: v <= target) if better == "low" else (lambda v: v >= target)
    best_end = f.low if better == "low" else f.high
    worst_end = f.high if better == "low" else f.low
    if reaches(f.value):
        return "met" if reaches(worst_end) else "met (interval reaches past it)"
    return "open (interval includes it)" if reaches(best_end) else "missed"


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: share of positive-negative pairs in the right order, ties half."""
    from scipy.stats import rankdata

    positive = positive.astype(bool)
    if positive.all() or not positive.any():
        return float("nan")
    ranks = rankdata(scores)
    count = positive.sum()
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (positive.size - count)))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation; NaN for constants."""
    from scipy.stats import rankdata

    if a.size < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
