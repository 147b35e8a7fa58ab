"""How hard a clip is to predict, and the order in which a curriculum opens the clips.

Difficulty is the clip's cross-fitted code rate in bits per second, less what level and pauses explain of it where the
sound of the frames is known. Noise raises it, and what is noise will not be learnt, so it ranks clips within strata of
like duration and source, beside quality tiers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Difficulty:
    """Per clip, `[N]` float64; NaN where the clip has no code length."""

    bits_per_second: np.ndarray
    """As measured."""
    shrunk: np.ndarray
    """Pulled towards the group's mean, and that towards the corpus', by how unreliable it is: rank by this."""
    reliability: np.ndarray
    """Share of the clip's deviation from its group that would show again in other seconds of the clip; in [0, 1]."""
    noise: float
    """Variance of the rate of one second, (bit/s)^2 s."""
    spread: float
    """Standard deviation of the true rates of one group's clips, bit/s."""


def difficulty(
    bits: np.ndarray,
    seconds: np.ndarray,
    groups: Sequence[str],
    split_half: np.ndarray,
    split_half_seconds: np.ndarray,
) -> Difficulty:
    """Empirical-Bayes difficulty of clips.

    bits, seconds: `[N]`. split_half, split_half_seconds: `[N, 2]` over the first and the second half of each clip, from
    which the repeatability of a rate is measured: interleaved blocks of a fraction of a second would only show which
    syllables are where. Clips too short to have both halves take part in everything else.
    """
    rate = np.full(bits.shape[0], np.nan)
    np.divide(bits, seconds, out=rate, where=seconds > 0)
    known = np.isfinite(rate)
    shrunk, reliability = rate.copy(), np.where(known, 0.0, np.nan)
    if not known.any():
        return Difficulty(rate, shrunk, reliability, float("nan"), float("nan"))
    both = known & (split_half_seconds > 0).all(1)
    noise = 0.0
    if both.any():
        each = split_half[both] / split_half_seconds[both]
        noise = float(np.mean((each[:, 0] - each[:, 1]) ** 2 / (1 / split_half_seconds[both]).sum(1)))
    names = np.asarray(groups, dtype=str)[known]
    if np.unique(names, return_counts=True)[1].max() < 2:
        # no group has two clips: all are compared with the corpus
        names = np.full(names.shape[0], "")
    _, group = np.unique(names, return_inverse=True)
    values, error = rate[known], noise / seconds[known]
    spread = max(_within(values, group) - float(error.mean()), 0.0)
    share = spread / (spread + error) if spread > 0 else np.zeros_like(error)
    center = _group_centers(values, 1 / np.maximum(spread + error, 1e-12 * (1 + values.var())), group)[group]
    shrunk[known] = center + share * (values - center)
    reliability[known] = share
    return Difficulty(rate, shrunk, reliability, noise, float(np.sqrt(spread)))


def _within(values: np.ndarray, group: np.ndarray) -> float:
    """Variance within groups, unbiased."""
    count = np.bincount(group)
    mean = np.bincount(group, values) / count
    return float(((values - mean[group]) ** 2).sum() / max(values.shape[0] - count.shape[0], 1))


def _group_centers(values: np.ndarray, weights: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Mean of each group, shrunk towards the mean of the groups."""
    total = np.bincount(group, weights)
    mean = np.bincount(group, weights * values) / total
    if mean.shape[0] < 3:
        return mean
    between = max(float(mean.var(ddof=1) - (1 / total).mean()), 0.0)
    overall = float(np.average(mean, weights=1 / (between + 1 / total)))
    return overall + between / (between + 1 / total) * (mean - overall)


def strata(durations: np.ndarray, labels: Sequence[str] | None = None, *, num_durations: int = 3) -> np.ndarray:
    """Stratum of each clip, `[N]` int64: label (source, language) by duration class, classes of equal numbers."""
    _, label = np.unique(np.asarray(labels if labels is not None else [""] * len(durations), str), return_inverse=True)
    result = np.zeros(len(durations), np.int64)
    for value in np.unique(label):
        members = np.flatnonzero(label == value)
        edges = np.quantile(durations[members], np.arange(1, num_durations) / num_durations)
        result[members] = value * num_durations + np.searchsorted(edges, durations[members], side="right")
    return result


def quantiles(values: np.ndarray, durations: np.ndarray, stratum: np.ndarray | None = None) -> np.ndarray:
    """Where each clip stands in its stratum by hours of audio, `[N]` in (0, 1); NaN for NaN, ties alike."""
    stratum = np.zeros(len(values), np.int64) if stratum is None else stratum
    result = np.full(len(values), np.nan)
    for label in np.unique(stratum):
        members = np.flatnonzero((stratum == label) & np.isfinite(values))
        if members.size:
            _, rank = np.unique(values[members], return_inverse=True)
            hours = np.bincount(rank, durations[members])
            result[members] = ((np.cumsum(hours) - hours / 2) / hours.sum())[rank]
    return result


def stages(
    tiers: Sequence[str | None],
    difficulty: np.ndarray,
    durations: np.ndarray,
    *,
    tier_order: Sequence[str] = (),
    opens: Sequence[float] = (0.5, 0.8),
    stratum: np.ndarray | None = None,
) -> np.ndarray:
    """Stage at which each clip joins the training, `[N]` int64 in [0, len(opens)]; stages add up.

    A clip joins when both its difficulty and its tier are open. By difficulty, stage i holds the easiest `opens[i]`
    of each stratum's hours, the last one everything. By tier, the best one in `tier_order` is open from the start and
    each further one a stage later; a tier not listed, or none where tiers are listed, joins last. A clip without
    difficulty joins last. The default opens half, then 80 %, then all.
    """
    last = len(opens)
    place = quantiles(np.asarray(difficulty, np.float64), np.asarray(durations, np.float64), stratum)
    by_difficulty = np.where(np.isnan(place), last, np.searchsorted(opens, place, side="right"))
    rank = {tier: min(i, last) for i, tier in enumerate(tier_order)}
    by_tier = np.array([rank.get(tier or "", last) if tier_order else 0 for tier in tiers], dtype=np.int64)
    return np.maximum(by_difficulty, by_tier).astype(np.int64)


def to_audit(difficulty: np.ndarray, share: float = 0.01) -> np.ndarray:
    """The most difficult `share` of clips, `[N]` bool: more often noise or a wrong recording than hard speech."""
    known = np.isfinite(difficulty)
    if not known.any():
        return np.zeros(len(difficulty), bool)
    return known & (difficulty > np.quantile(difficulty[known], 1 - share))
