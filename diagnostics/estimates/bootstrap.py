"""Confidence intervals that respect that clips of one speaker resemble each other.

Resampling frames or clips as if they were independent covers far too little (22 % and 52 % instead of 95 % on a
simulated corpus; benchmarks/diagnostics.py repeats it), so whole groups are resampled. The interval covers sampling
of the groups only: not that the model was fitted on finite data, and not that it may be wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio of sums over clips, and its percentile bootstrap interval; NaN bounds with fewer than two groups."""

    value: float
    low: float
    high: float
    num_groups: int

    @property
    def has_width(self) -> bool:
        """Whether there were at least two groups to resample."""
        return bool(np.isfinite(self.low))


def ratio(
    numerator: np.ndarray,
    denominator: np.ndarray,
    groups: Sequence[str],
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """sum(numerator) / sum(denominator) over clips, with groups resampled with replacement.

    numerator, denominator: `[N]` per clip, for example bits and seconds. groups: `[N]` names.
    """
    top, bottom = _sums_by_group(numerator, groups), _sums_by_group(denominator, groups)
    return _interval(top, bottom, np.zeros_like(top), np.ones_like(bottom), level, resamples, seed)


def paired_difference(
    numerators: tuple[np.ndarray, np.ndarray],
    denominators: tuple[np.ndarray, np.ndarray],
    groups: Sequence[str],
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """First ratio minus second, over the same clips and the same resampled groups.

    What the two have in common (an easy speaker, a noisy one) cancels, so this interval is narrower than what two
    separate ones suggest. Each pair holds `[N]` per clip.
    """
    sums = [_sums_by_group(x, groups) for x in (numerators[0], denominators[0], numerators[1], denominators[1])]
    return _interval(sums[0], sums[1], sums[2], sums[3], level, resamples, seed)


def _sums_by_group(values: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    # groups in order of their names, so that the order of clips changes nothing but rounding
    _, index = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return np.bincount(index, weights=np.asarray(values, dtype=np.float64)) if len(values) else np.zeros(0)


def _interval(
    top: np.ndarray,
    bottom: np.ndarray,
    top_2: np.ndarray,
    bottom_2: np.ndarray,
    level: float,
    resamples: int,
    seed: int,
) -> Interval:
    count = top.shape[0]
    if not count:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    value = float(top.sum() / bottom.sum() - top_2.sum() / bottom_2.sum())
    if count < 2:
        return Interval(value, float("nan"), float("nan"), count)
    rng = np.random.default_rng(seed)
    values = np.empty(resamples)
    # how often each group is drawn is all that the sums need; a block at a time bounds memory for many groups
    for begin in range(0, resamples, 100):
        size = min(100, resamples - begin)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=size).astype(np.float64)
        values[begin : begin + size] = (drawn @ top) / (drawn @ bottom) - (drawn @ top_2) / (drawn @ bottom_2)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), count)
