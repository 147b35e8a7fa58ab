"""How far a linear prediction fitted on finitely many frames falls short, and what is measured of it.

A regression with k coefficients per dimension that was fitted on n frames predicts held-out frames worse than the best
one by about D k / 2n nats. The marginal it is compared with has one coefficient (the mean), so a gain is short by about
D^2 p / 2n. With D = 512 that is whole nats at an hour of audio: the gain is corrected for it, never gated away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma

from .gaussian_predictor import GaussianPredictor
from .lag_moments import LagMoments, total

ROWS_PER_COEFFICIENT = 4
"""Fewer training rows than this times D p, in half of the training data: the expansion in 1/n no longer holds."""
RELATIVE_ERROR = 0.1
"""Of the correction: how far the expansion may be off. Part of every interval."""


def shortfall(rows: float, dim: int, order: int) -> float:
    """Nats per frame by which the held-out gain of an unpenalised VAR falls short of the true gain; inf if undefined.

    Exact for independent Gaussian rows: the innovation covariance is Wishart with `rows - D p - 1` degrees of freedom,
    so E log det and E tr of the inverse are known (Anderson 2003, section 7), and so is the variance that estimated
    coefficients add. To first order D^2 p / 2n.
    """
    return _excess(rows, dim, dim * order + 1) - _excess(rows, dim, 1)


def _excess(rows: float, dim: int, coefficients: int) -> float:
    """Expected held-out code length above the true model's, nats per row, of a Gaussian regression."""
    freedom = rows - coefficients
    if freedom <= dim + 2:
        return float("inf")
    log_determinant = digamma((freedom + 1 - np.arange(1, dim + 1)) / 2).sum() + dim * np.log(2 / rows)
    leverage = coefficients / (rows - coefficients - 1)
    quadratic = (1 + leverage) * rows * dim / (freedom - dim - 1)
    return float(log_determinant + quadratic - dim) / 2


@dataclass(frozen=True, slots=True)
class Correction:
    """What is added to a held-out gain, nats per frame."""

    of_fold: tuple[float, ...]
    value: float
    """`shortfall`, mean over folds weighted by held-out rows."""
    measured: float
    """What the growth of the gain from half of the training folds to all of them makes it."""
    error: float
    """Half-width: what the two differ by, and `RELATIVE_ERROR` of the value."""


def correction(
    moments: Sequence[LagMoments], predictors: Sequence[GaussianPredictor | None], ridge: float
) -> Correction | None:
    """The shortfall of predictors that were each fitted on all folds but their own, from moments alone.

    Frames that are no Gaussian autoregression can cost more to fit (heavy tails, speakers that differ), so the growth
    of the gain from half of the training data to all of it is measured beside the formula, and the difference is error.
    None where half of the folds do not hold `ROWS_PER_COEFFICIENT` rows for every coefficient.
    """
    of_fold, found = [0.0] * len(moments), []
    for fold, predictor in enumerate(predictors):
        if predictor is None or not moments[fold].num_rows:
            continue
        order, dim = len(predictor.lags), predictor.rank
        others = [m.first(order) for i, m in enumerate(moments) if i != fold]
        halves = [total(others[i::2]) for i in (0, 1)]
        if min(half.num_rows for half in halves) < ROWS_PER_COEFFICIENT * moments[0].dim * order:
            return None
        held_out = moments[fold].first(order)
        try:
            gains = [GaussianPredictor(half, ridge).expected_gain(held_out) for half in halves]
        except (ValueError, np.linalg.LinAlgError):
            return None
        of_fold[fold] = shortfall(sum(half.num_rows for half in halves), dim, order)
        grows = float(np.mean([shortfall(half.num_rows, dim, order) for half in halves])) - of_fold[fold]
        measured = (predictor.expected_gain(held_out) - float(np.mean(gains))) * of_fold[fold] / grows
        found.append((of_fold[fold], measured, held_out.num_rows))
    if not found:
        return None
    value, measured = (
        float(np.average(each, weights=[n for *_, n in found])) for each in list(zip(*found, strict=True))[:2]
    )
    return Correction(tuple(of_fold), value, measured, float(np.hypot(measured - value, RELATIVE_ERROR * value)))
