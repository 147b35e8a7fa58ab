"""A log-linear pool: probabilities of several contexts multiplied, each to a power, and normalised.

p(k) = prod_i p_i(k)^w_i / sum_j prod_i p_i(j)^w_i (Genest and Zidek 1986; the weights are the parameters of a
conditional exponential family, so the code length is convex in them). Where two contexts know different things of a
code, their product is sharper than either, which no linear mixture is. Normalised by a sum over all entries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BLOCK, _FIT_BLOCK = 256, 64
"""Frames at a time: what is at work stays in a processor's cache."""
_STEPS = 12
_SETTLED = 1e-5
"""Nat per code that a step has to gain, or the search ends."""
PRIOR_FRAMES = 1.0
"""The weights start from those of the first table alone and are held to it as by this much evidence."""


def nats(
    tables: Sequence[np.ndarray], contexts: Sequence[np.ndarray], codes: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Code length `[F]` float64 of codes `[F]`.

    tables: `[contexts, cardinality]` log-probabilities each. contexts: `[F]` rows of each table. weights: one each.
    """
    powered = [table * np.float32(weight) for table, weight in zip(tables, weights, strict=True)]
    result = np.empty(codes.shape[0])
    for begin in range(0, codes.shape[0], _BLOCK):
        part = slice(begin, begin + _BLOCK)
        logits = powered[0][contexts[0][part]]
        for table, context in zip(powered[1:], contexts[1:], strict=True):
            logits += table[context[part]]
        logits -= logits.max(1, keepdims=True)
        own = logits[np.arange(logits.shape[0]), codes[part]].astype(np.float64)
        result[part] = np.log(np.exp(logits).sum(1, dtype=np.float64)) - own
    return result


def fit_weights(
    tables: Sequence[np.ndarray],
    contexts: Sequence[np.ndarray],
    codes: np.ndarray,
    begin: np.ndarray | None = None,
) -> np.ndarray:
    """Weights `[M]` that minimise the code length, by Newton's method; (1, 0, 0, ...) without codes.

    begin: weights to start from.
    """
    count = len(tables)
    start = np.eye(count)[0]
    weights = start if begin is None else begin
    if not codes.shape[0]:
        return weights
    best = np.inf
    step = np.zeros(count)
    for _ in range(_STEPS):
        cost, gradient, curvature = _expansion(tables, contexts, codes, weights)
        away = weights - start
        cost += 0.5 * PRIOR_FRAMES * float(away @ away)
        gradient += PRIOR_FRAMES * away
        curvature += PRIOR_FRAMES * np.eye(count)
        if cost > best:
            # the parabola was no good: half of the way
            step = step / 2
            weights = weights - step
            continue
        if best - cost < _SETTLED * codes.shape[0]:
            break
        best = cost
        step = -np.linalg.solve(curvature, gradient)
        weights = weights + step
    return weights


def _expansion(
    tables: Sequence[np.ndarray], contexts: Sequence[np.ndarray], codes: np.ndarray, weights: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Code length in nat, summed, with its first and second derivatives by the weights."""
    count = len(tables)
    cost, gradient, curvature = 0.0, np.zeros(count), np.zeros((count, count))
    scale = weights.astype(np.float32)
    for begin in range(0, codes.shape[0], _FIT_BLOCK):
        part = slice(begin, begin + _FIT_BLOCK)
        # [M, block, cardinality]
        logs = np.stack([table[context[part]] for table, context in zip(tables, contexts, strict=True)])
        logits = np.tensordot(scale, logs, 1)
        logits -= logits.max(1, keepdims=True)
        share = np.exp(logits)
        total = share.sum(1, keepdims=True)
        share /= total
        at = np.arange(share.shape[0])
        cost += float((np.log(total[:, 0]) - logits[at, codes[part]]).sum())
        mean = np.einsum("mbk,bk->mb", logs, share)
        gradient += (mean - logs[:, at, codes[part]]).sum(1)
        spread = (logs - mean[:, :, None]) * np.sqrt(share)
        flat = spread.reshape(count, -1)
        curvature += flat @ flat.T
    return cost, gradient, curvature
