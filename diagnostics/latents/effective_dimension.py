"""How many dimensions latents use, and in how many of them the past says something.

Two numbers. The *participation ratio* (tr C)^2 / tr C^2 of the frames' covariance C counts the directions that share
the variance: D where all have the same, 1 where one has all. It depends on the scale of the dimensions, as a
reconstruction error does. The *predictive dimension* counts the directions that carry 90 % of what the linear
prediction explains, in coordinates where frames have identity covariance. No invertible linear map changes it.

Both are cross-fitted over folds of whole speakers. tr C^2 of one sample counts its noise as variance, by (tr C)^2 / n
for n independent frames, and frames are not independent; products of the covariances of two folds do not. Directions
are found on the other folds and judged on the one left out, where what is not predictable explains nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..estimates.estimate import Estimate
from ..estimates.interval import ratio
from .gaussian_predictor import GaussianPredictor
from .lag_moments import LagMoments

SHARE = 0.9
MIN_FOLDS = 3
CHANCE = 4.0
"""Standard errors over folds. How many of the first directions are looked at is chosen after the fact, so the usual two
are not enough."""


@dataclass(frozen=True, slots=True)
class EffectiveDimension:
    """Of a corpus."""

    participation_ratio: Estimate
    """Interval by leaving out folds, which are of whole speakers."""
    predictive_dimension: int | None
    """Directions with 90 % of the explained variance, of the sums over folds; 0 where nothing is explained."""
    predictive_dimension_range: tuple[int, int] | None
    """Fewest and most of single folds."""
    explained_share: float | None
    """Explained variance over the variance, held out, in whitened coordinates: a mean R^2 per direction. At most 0
    where nothing can be predicted."""


def effective_dimension(
    moments: Sequence[LagMoments], predictors: Sequence[GaussianPredictor | None]
) -> EffectiveDimension:
    """moments: per fold, with their past. predictors: for each fold one that was fitted on the others."""
    used = [fold for fold in moments if fold.num_rows > 1]
    if len(used) < MIN_FOLDS:
        few = Estimate.unresolved(
            f"{len(used)} folds with frames", f"audio in at least {MIN_FOLDS} folds", "dimensions"
        )
        return EffectiveDimension(few, None, None, None)
    explained = [
        predictor.explained(fold)
        for fold, predictor in zip(moments, predictors, strict=True)
        if predictor is not None and fold.num_rows
    ]
    counts = [directions(each) for each in explained]
    if not counts:
        return EffectiveDimension(participation_ratio(used), None, None, None)
    # predictors may have found fewer directions with variance in some folds
    width = max(each.shape[0] for each in explained)
    padded = np.stack([np.pad(each, (0, width - each.shape[0])) for each in explained])
    total, found = padded.mean(0), 0
    if is_more_than_chance(padded):
        found = directions(total)
    single = (min(counts), max(counts)) if found else (0, 0)
    return EffectiveDimension(participation_ratio(used), found, single, float(total.sum() / width))


def is_more_than_chance(explained: np.ndarray) -> bool:
    """Whether the first directions, as many as explain most, do so in all folds alike. `explained`: `[folds, R]`."""
    best = int(np.argmax(np.cumsum(explained.mean(0))))
    sums = explained[:, : best + 1].sum(1)
    error = float(sums.std(ddof=1)) / np.sqrt(len(sums)) if len(sums) > 1 else np.inf
    return bool(sums.mean() > CHANCE * error and (sums > 0).all())


def directions(explained: np.ndarray) -> int:
    """How many of the first directions carry 90 % of the most that any number of the first ones explains.

    explained: `[R]`, held-out variance that each explains, in the order in which they promised to. 0 when nothing is
    explained.
    """
    sums = np.cumsum(explained)
    most = sums.max(initial=0.0)
    return int(np.argmax(sums >= SHARE * most)) + 1 if most > 0 else 0


def participation_ratio(moments: Sequence[LagMoments]) -> Estimate:
    """(tr C)^2 / tr C^2 from pairs of folds, with a jackknife interval over folds."""
    dim = moments[0].dim
    center = sum((fold.total for fold in moments), np.zeros_like(moments[0].total)) / sum(f.num_rows for f in moments)
    # sums, not means: a fold counts by its frames
    covariances = [fold.num_rows * fold.covariance_about(center)[:dim, :dim] for fold in moments]
    traces = np.array([np.trace(c) for c in covariances])
    flat = np.stack([c.ravel() for c in covariances])
    products = flat @ flat.T
    outer = np.outer(traces, traces)
    for each in (products, outer):
        np.fill_diagonal(each, 0.0)
    if products.sum() <= 0:
        return Estimate.unresolved("the folds' covariances have nothing in common", "more audio", "dimensions")
    whole = outer.sum() / products.sum()
    without = []
    for fold in range(len(moments)):
        kept = np.arange(len(moments)) != fold
        bottom = products[np.ix_(kept, kept)].sum()
        without.append(outer[np.ix_(kept, kept)].sum() / bottom if bottom > 0 else np.nan)
    if len(moments) < MIN_FOLDS + 1 or not np.isfinite(without).all():
        return Estimate.unresolved(
            "too few folds for an interval", "audio of more speakers", "dimensions", float(whole)
        )
    # pseudo-values, and Student's t over them
    values = len(moments) * whole - (len(moments) - 1) * np.array(without)
    interval = ratio(values, np.ones(len(values)), [str(i) for i in range(len(values))])
    half = (interval.high - interval.low) / 2
    return Estimate.resolved(float(whole), float(whole - half), float(whole + half), "dimensions")
