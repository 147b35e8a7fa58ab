"""Linear mixture of predictive models: still normalised, so still a valid code.

Whole models are mixed here; the contexts within one codebook in `codebook_model.FittedMixture`, with the same weights'
fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class MixedMembers:
    """What each member of a portfolio costs alone, and all of them mixed, over the same frames."""

    members: dict[str, float]
    """Bits per frame, cross-fitted."""
    weights: dict[str, float]
    """In the mixture, mean over folds."""
    mixed: float
    saved: float
    """Bits per frame that the mixture takes off its best member: a hint at how far the bound may still be off."""


def mix_members(members: Mapping[str, np.ndarray], fold: np.ndarray) -> tuple[np.ndarray, MixedMembers]:
    """Bits of every frame under the members' mixture, `[F]`, weights of a fold from all other folds.

    members: by name, `[F]` bits that each gives every frame, cross-fitted. fold: `[F]`. The probabilities of whole
    frames are mixed, so the mixture is normalised over frames.
    """
    names = list(members)
    bits = np.stack([members[name] for name in names], axis=1).astype(np.float64)
    # relative to the cheapest, or a frame of 100 bits would be rounded to nothing
    least = bits.min(1)
    relative = 2.0 ** (least[:, None] - bits)
    mixed, total = np.empty(bits.shape[0]), np.zeros(len(names))
    folds = np.unique(fold)
    for held_out in folds:
        train, test = fold != held_out, fold == held_out
        weights = fit_weights(relative[train][:: max(1, int(train.sum()) // 200_000)], smallest=0.0)
        mixed[test] = least[test] - np.log2(relative[test] @ weights)
        total += weights / folds.shape[0]
    alone = {name: float(bits[:, i].mean()) for i, name in enumerate(names)}
    found = float(mixed.mean())
    shares = dict(zip(names, total.tolist(), strict=True))
    return mixed, MixedMembers(alone, shares, found, min(alone.values()) - found)
