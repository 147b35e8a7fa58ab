"""How much of the predictive gain a few numbers read out of the past keep: z_dyn = W [z_{t-1} ... z_{t-p}].

The best linear read-out of r dimensions for predicting the next frame are the r first canonical variates of the past
with the frame (Hotelling 1936; Izenman 1975 for regression): pairs of directions, each of which correlates with its
partner by rho_i and with no other. So the gain of a Gaussian model on r of them is a sum over pairs (y_i, x_i),

    gain(r) = sum over i <= r of the mean of (y_i^2 - (y_i - rho_i x_i)^2 / (1 - rho_i^2) - log(1 - rho_i^2)) / 2

and at r = R it is that of the VAR. Pairs are found on the other folds and judged on held-out speakers.

Few data cost gain, and cost the first pairs more than their share: among pairs that have nothing in common the first
ones are those that seem to have most. No formula covers that for every r, so the growth of the gain from half of the
training data to all of it is extrapolated as the shortfall of the VAR falls, about as 1/n (`finite_sample`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.special import stdtrit

from ..estimates.estimate import Estimate
from ..estimates.folds import counted
from ..estimates.interval import Interval, ratio
from .finite_sample import RELATIVE_ERROR, ROWS_PER_COEFFICIENT, shortfall
from .gaussian_predictor import DETERMINISTIC, GaussianPredictor
from .lag_moments import LagMoments, total

DIMENSIONS = (8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a read-out of so many dimensions keeps; corrected for finite data."""

    dimensions: int
    gain: Estimate
    """nat/frame."""
    share: Estimate
    """Of the gain of all dimensions."""


class CanonicalPairs:
    """Directions of the frame and of its past, in the order of their correlation."""

    def __init__(self, moments: LagMoments, predictor: GaussianPredictor) -> None:
        """moments: of training rows, on which the predictor was fitted."""
        self._predictor = predictor
        _, cross, past = predictor.blocks(moments)
        factor = linalg.cholesky(past + (predictor.ridge + 1e-10) * np.eye(past.shape[0]), lower=True)
        found = linalg.svd(linalg.solve_triangular(factor, cross.T, lower=True), full_matrices=False)
        self._of_past = linalg.solve_triangular(factor, found[0], lower=True, trans=1).T
        self._correlation, self._of_frame = np.minimum(found[1], np.sqrt(1 - DETERMINISTIC)), found[2]
        self.rank, self.order = predictor.rank, len(moments.lags)

    def gains(self, latents: np.ndarray) -> np.ndarray:
        """`[R]` of each pair, summed over the frames of a clip `[D, T]` that have their whole past."""
        frame, past = self._predictor.white_rows(latents)
        frame, past = self._of_frame @ frame, self._of_past @ past
        return self._gain((frame**2).sum(1), (frame * past).sum(1), (past**2).sum(1), past.shape[1])

    def expected_gains(self, moments: LagMoments) -> np.ndarray:
        """`[R]` mean of each pair over held-out rows, from their moments alone."""
        frame, cross, past = self._predictor.blocks(moments)
        own, other = self._of_frame, self._of_past
        both = ((own @ cross) * other).sum(1)
        return self._gain(((own @ frame) * own).sum(1), both, ((other @ past) * other).sum(1), 1)

    def _gain(self, frame: np.ndarray, both: np.ndarray, past: np.ndarray, count: int) -> np.ndarray:
        rho = self._correlation
        left = (frame - 2 * rho * both + rho**2 * past) / (1 - rho**2)
        return (frame - left - count * np.log1p(-(rho**2))) / 2


class ReadOut:
    """Fitted on moments, scored clip by clip."""

    def __init__(self, moments: Sequence[LagMoments], predictors: Sequence[GaussianPredictor | None]) -> None:
        """moments: per fold, with their past. predictors: the VAR of each fold, whose order is read out."""
        self._pairs: list[CanonicalPairs | None] = []
        self._short: list[np.ndarray] = []
        self._too_few = False
        self._determined = max((p.num_deterministic for p in predictors if p is not None), default=0)
        rank = min((p.rank for p in predictors if p is not None), default=0)
        self.dimensions = tuple(dim for dim in DIMENSIONS if dim < rank)
        for fold, predictor in enumerate(predictors):
            pairs = None
            if predictor is not None and self.dimensions and moments[fold].num_rows:
                order = len(predictor.lags)
                others = [m.first(order) for i, m in enumerate(moments) if i != fold]
                pairs = self._fit(others, moments[fold].first(order), predictor)
            self._pairs.append(pairs)
        self._sums: list[np.ndarray] = []
        self._counts: list[int] = []
        self._groups: list[str] = []

    def _fit(
        self, others: list[LagMoments], held_out: LagMoments, predictor: GaussianPredictor
    ) -> CanonicalPairs | None:
        halves = [total(others[i::2]) for i in (0, 1)]
        whole = halves[0] + halves[1]
        if min(half.num_rows for half in halves) < ROWS_PER_COEFFICIENT * whole.dim * len(whole.lags):
            self._too_few = True
            return None
        try:
            pairs = CanonicalPairs(whole, predictor)
            fitted = [CanonicalPairs(each, GaussianPredictor(each, predictor.ridge)) for each in halves]
        except (ValueError, np.linalg.LinAlgError):
            self._too_few = True
            return None
        expected = [self._kept(each.expected_gains(held_out)) for each in (pairs, *fitted)]
        dim, order = pairs.rank, len(whole.lags)
        of_all = shortfall(whole.num_rows, dim, order)
        grows = float(np.mean([shortfall(half.num_rows, dim, order) for half in halves])) - of_all
        self._short.append((expected[0] - np.mean(expected[1:], axis=0)) * of_all / grows)
        return pairs

    def _kept(self, gains: np.ndarray) -> np.ndarray:
        """`[len(dimensions) + 1]`: of the first pairs, and of all."""
        sums = np.cumsum(gains)
        # half of the data may span fewer directions than all
        return np.array([*(sums[min(dim, sums.size) - 1] for dim in self.dimensions), sums[-1]])

    def add(self, fold: int, group: str, latents: np.ndarray, past: int) -> None:
        """Score a clip `[D, T]` of a fold, on the frames that have `past` frames before them."""
        pairs = self._pairs[fold]
        if pairs is not None and latents.shape[1] > past:
            self._sums.append(self._kept(pairs.gains(latents[:, past - pairs.order :])))
            self._counts.append(latents.shape[1] - past)
            self._groups.append(group)

    def kept(self, group_kind: str, min_groups: int) -> tuple[Kept, ...]:
        """What each number of dimensions keeps; none where the latents have no more than `DIMENSIONS[0]`."""
        reason, remedy = self._lacking(group_kind, min_groups)
        found = []
        for i, dim in enumerate(self.dimensions):
            gain, share = Estimate.unresolved(reason, remedy, "nat/frame"), Estimate.unresolved(reason, remedy, "share")
            if not reason:
                gain, share = self._estimates(i)
            found.append(Kept(dim, gain, share))
        return tuple(found)

    def _lacking(self, group_kind: str, min_groups: int) -> tuple[str, str]:
        """Why nothing can be said, and what would help; "" where something can."""
        num_groups = len(set(self._groups))
        if self._too_few or not self._groups:
            return "too few frames to see what fitting them costs", "several times as much audio"
        if num_groups < min_groups:
            few = f"{counted(num_groups, group_kind)} where an interval needs {min_groups}"
            return few, f"audio of at least {counted(min_groups, group_kind)}"
        if self._determined:
            exact = f"{self._determined} directions follow exactly from the past, their gain has no bound"
            return exact, "latents without repeated frames or constant dimensions"
        return "", ""

    def _estimates(self, i: int) -> tuple[Estimate, Estimate]:
        counts, short = np.array(self._counts, float), np.stack(self._short)
        sums = np.stack(self._sums) + counts[:, None] * short.mean(0)
        size = float(short[:, i].mean())
        gain, whole = (self._interval(sums[:, at], short[:, at], float(short[:, at].mean())) for at in (i, -1))
        estimate = Estimate.resolved(gain.value, gain.low, gain.high, "nat/frame")
        if whole.low <= 0:
            nothing = "the past says nothing that could be kept"
            return estimate, Estimate.unresolved(nothing, "latents that can be predicted", "share")
        share = gain.value / whole.value
        # to first order; a ratio over speakers whose gain is near 0 would have no sense of its own
        around = self._interval(sums[:, i] - share * sums[:, -1], short[:, i] - share * short[:, -1], size)
        low, high = (share + each / whole.value for each in (around.low, around.high))
        return estimate, Estimate.resolved(share, low, high, "share")

    def _interval(self, sums: np.ndarray, short: np.ndarray, size: float) -> Interval:
        """Over groups, with the error of a correction of this size: its scatter over folds, and the expansion's."""
        scatter = float(stdtrit(len(short) - 1, 0.975) * short.std(ddof=1) / np.sqrt(len(short)))
        error = float(np.hypot(scatter, RELATIVE_ERROR * size))
        return ratio(sums, np.array(self._counts, float), self._groups).widened(error)
