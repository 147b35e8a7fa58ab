"""Weights of a linear mixture of predictive models, which is still normalised, so still a valid code."""

from __future__ import annotations

import numpy as np


def fit_weights(probabilities: np.ndarray, *, iterations: int = 100, smallest: float = 0.02) -> np.ndarray:
    """Weights that minimise the mixture's code length, by expectation maximisation; components below `smallest` get 0.

    probabilities: `[N, M]`, what each of M models gave each of N held-out symbols. Returns `[M]`, summing to one;
    equal weights when N is 0.
    """
    count = probabilities.shape[1]
    weights = np.full(count, 1.0 / count)
    if not probabilities.shape[0]:
        return weights
    for _ in range(2):
        for _ in range(iterations):
            joint = probabilities * weights
            updated = (joint / joint.sum(1, keepdims=True)).mean(0)
            settled = np.abs(updated - weights).max() < 1e-5
            weights = updated
            if settled:
                break
        # the second round spreads what the dropped components leave
        weights = np.where(weights < smallest, 0.0, weights)
        weights /= weights.sum()
    return weights
