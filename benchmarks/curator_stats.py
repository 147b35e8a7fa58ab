"""Figures with their uncertainty: number of clips and of sources, and an interval from resampling the sources.

Clips share voices, noises and rooms, so they are no independent draws. Where a figure has several kinds of sources, all
are resampled at once, each on its own, and a clip counts as often as its sources together (the pigeonhole bootstrap of
Owen, 2007). Resampling voices alone leaves out what other noises would do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

RESAMPLES = 500
LEAST_OF_A_SOURCE = 8
"""Clips from which a source can be named the worst."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number."""

    value: float
    low: float
    high: float
    clips: int
    groups: int
    unit: str = "speakers"
    crossed: dict[str, int] = field(default_factory=dict)
    """Further kinds of sources that were resampled, and how many there are of each."""
    by_source: dict[str, float] = field(default_factory=dict)
    """The figure of each source alone, of the last kind."""

    def text(self, digits: int = 2) -> str:
        """`1.41 [1.30, 1.53]`."""
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"

    def count(self) -> str:
        """`800 clips, 25 speakers x 15 noises`."""
        return f"{self.clips} clips, " + " x ".join(
            f"{many} {kind}" for kind, many in ((self.unit, self.groups), *self.crossed.items())
        )

    def worst(self, better: str) -> tuple[str, float] | None:
        """The source of the last kind whose figure is worst. better: "low", "high"."""
        if not self.by_source:
            return None
        name = (max if better == "low" else min)(self.by_source, key=lambda n: self.by_source[n])
        return name, self.by_source[name]


def figure(
    measure: Callable[[np.ndarray], float],
    rows: np.ndarray,
    groups: Sequence[str] | Mapping[str, Sequence[str]],
    unit: str = "speakers",
) -> Figure:
    """`measure` of `[N, ...]` rows with a 95 % interval: percentile bootstrap over whole sources, 500 resamples.

    groups: the source of every row; or several, by kind, which are all resampled. The worst is named of the last kind.
    """
    kinds = {unit: groups} if isinstance(groups, Sequence) else groups
    levels = {kind: np.unique(np.asarray(names), return_inverse=True) for kind, names in kinds.items()}
    rng = np.random.default_rng(0)
    values = []
    for _ in range(RESAMPLES):
        times = np.ones(rows.shape[0], dtype=int)
        for names, of in levels.values():
            times *= np.bincount(rng.integers(0, names.size, names.size), minlength=names.size)[of]
        if times.any() and np.isfinite(value := measure(np.repeat(rows, times, axis=0))):
            values.append(value)
    low, high = np.percentile(values, [2.5, 97.5]) if values else (np.nan, np.nan)
    sizes = {kind: int(names.size) for kind, (names, _) in levels.items()}
    first = next(iter(sizes))
    names, of = levels[list(levels)[-1]]
    alone = {str(n): measure(rows[of == i]) for i, n in enumerate(names) if (of == i).sum() >= LEAST_OF_A_SOURCE}
    return Figure(
        float(measure(rows)),
        float(low),
        float(high),
        rows.shape[0],
        sizes.pop(first),
        first,
        sizes,
        {n: float(v) for n, v in alone.items() if np.isfinite(v)} if len(kinds) > 1 else {},
    )


def verdict(f: Figure, target: float, better: str) -> str:
    """met when the whole interval reaches the target, missed when none of it does, else open. better: "low", "high"."""
    reaches = (lambda v: v <= target) if better == "low" else (lambda v: v >= target)
    best_end = f.low if better == "low" else f.high
    worst_end = f.high if better == "low" else f.low
    return "met" if reaches(worst_end) else "open" if reaches(best_end) else "missed"


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
