"""How likely every frame is in the states that matter, and in the best state of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .acoustic_model import DENSITIES, STREAMS, AcousticModel

BLOCK_FRAMES = 256
"""As many densities at once as a core's cache holds."""
LEAST_SHARE = np.float32(1e-12)
"""Smallest share of the frame's largest density that a mixture may have: no stream says more than 28 nats against a
senone, and the product of three still fits float32."""
ROUNDING = np.float32(1.00001)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The senones of one phone that are considered: mixtures over the same Gaussians.

    gaussians: columns of `AcousticModel.gaussians`. asked: `[STREAMS, DENSITIES, A + 1]` float32 weights of the senones
    that are wanted, and last the largest weight of each Gaussian in any of the group: the mixture with these is above
    all of them. columns: `[A]` of the result. every: `[STREAMS, DENSITIES, R]` weights of all that compete.
    """

    gaussians: slice
    asked: np.ndarray
    columns: np.ndarray
    every: np.ndarray


def grouped(model: AcousticModel, wanted: np.ndarray, rivals: np.ndarray | None) -> list[Group]:
    """All senones by phone, or only `wanted` and `rivals` where those are given."""
    considered = np.arange(len(model.codebook)) if rivals is None else np.union1d(wanted, rivals)
    book = model.codebook[considered]
    groups = []
    for c in np.unique(book):
        senones = considered[book == c]
        columns = np.searchsorted(wanted, senones)
        is_asked = wanted[np.minimum(columns, len(wanted) - 1)] == senones
        weights = model.weights[c]
        if rivals is not None:
            weights = weights[:, :, np.searchsorted(model.members[c], senones)]
        asked = np.concatenate([weights[:, :, is_asked], weights.max(axis=2, keepdims=True)], axis=2)
        place = slice(c * DENSITIES, (c + 1) * DENSITIES)
        groups.append(Group(place, asked, columns[is_asked], weights))
    return groups


def densities(model: AcousticModel, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Density of every Gaussian over the largest of its frame and stream, and the log of that largest.

    features: `[STREAMS, F, CEPSTRA]` float32. Returns `[STREAMS, F, C * DENSITIES]` and `[STREAMS, F]` float32.
    """
    ones = np.ones((*features.shape[:2], 1), dtype=np.float32)
    log = np.matmul(np.concatenate([features, features * features, ones], axis=2), model.gaussians)
    largest = log.max(axis=2)
    log -= largest[:, :, None]
    return np.exp(log, out=log), largest


def mixtures(share: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Product over the streams of mixtures: `[STREAMS, F, DENSITIES]` and `[STREAMS, DENSITIES, N]` to `[F, N]`."""
    product = np.maximum(share[0] @ weights[0], LEAST_SHARE)
    for s in range(1, STREAMS):
        product *= np.maximum(share[s] @ weights[s], LEAST_SHARE)
    return product


def senone_nats(
    model: AcousticModel, features: np.ndarray, wanted: np.ndarray, rivals: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Log likelihood in nats of every frame in each of `wanted`, `[F, N]`, and in the best senone, `[F]`, float32.

    features: `[STREAMS, F, CEPSTRA]` float32. wanted: senones, ascending, without repetition. The best is sought
    among all senones, or among `wanted` and `rivals` where those are given. It is exact: a phone is left out only in
    frames where even a mixture above all of its senones is below one that is known already, which spares most.
    """
    frames = features.shape[1]
    nats = np.empty((frames, len(wanted)), dtype=np.float32)
    best = np.full(frames, -np.inf, dtype=np.float32)
    groups = grouped(model, wanted, rivals)
    for first in range(0, frames, BLOCK_FRAMES):
        part = slice(first, first + BLOCK_FRAMES)
        share, largest = densities(model, features[:, part])
        level = largest.sum(0)
        top = np.zeros(len(level), dtype=np.float32)
        above = np.empty((len(groups), len(level)), dtype=np.float32)
        for g, group in enumerate(groups):
            product = mixtures(share[:, :, group.gaussians], group.asked)
            above[g] = product[:, -1]
            if group.columns.size:
                nats[part, group.columns] = np.log(product[:, :-1]) + level[:, None]
                np.maximum(top, product[:, :-1].max(axis=1), out=top)
        # the likeliest phones first: what they reach spares the others
        for g in np.argsort(-above.sum(axis=1)):
            rows = np.flatnonzero(above[g] * ROUNDING > top)
            if rows.size:
                reached = mixtures(share[:, rows, groups[g].gaussians], groups[g].every).max(axis=1)
                top[rows] = np.maximum(top[rows], reached)
        best[part] = np.log(top) + level
    return nats, best
