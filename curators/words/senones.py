"""How likely every frame is in the states that matter, and in the best state of all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from .acoustic_model import DENSITIES, STREAMS, AcousticModel

BLOCK_FRAMES = 512
"""Of so many frames a core's cache holds the densities of a phone."""
LEAST_SHARE = np.float32(1e-12)
"""Smallest share of the frame's largest density that a mixture may have: no stream says more than 28 nats against a
senone, and the product of three still fits float32."""
ROUNDING = np.float32(1.00001)


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Senones of one state of one phone that compete: mixtures over the same Gaussians, much alike.

    weights: `[STREAMS, DENSITIES, R]` float32. most: `[STREAMS, DENSITIES]` the largest weight of each Gaussian in any
    of them: the mixture with these is above all of them.
    """

    phone: int
    weights: np.ndarray
    most: np.ndarray


@cache
def families(model: AcousticModel, phone: int) -> list[Family]:
    """All senones of a phone by state."""
    return _by_state(model, phone, model.members[phone])


def _by_state(model: AcousticModel, phone: int, senones: np.ndarray) -> list[Family]:
    columns, found = np.searchsorted(model.members[phone], senones), []
    for state in np.unique(model.state[senones]):
        weights = model.weights[phone][:, :, columns[model.state[senones] == state]]
        found.append(Family(phone, np.ascontiguousarray(weights), weights.max(axis=2)))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The senones of one phone that are considered.

    asked: `[STREAMS, DENSITIES, A + len(families)]` float32 weights of the senones that are wanted, and of what is
    above each family. columns: `[A]` of the result.
    """

    phone: int
    asked: np.ndarray
    columns: np.ndarray
    families: list[Family]


def grouped(model: AcousticModel, wanted: np.ndarray, rivals: np.ndarray | None) -> list[Group]:
    """All senones by phone, or only `wanted` and `rivals` where those are given."""
    considered = None if rivals is None else np.union1d(wanted, rivals)
    groups = []
    for phone in range(len(model.phones)) if considered is None else np.unique(model.codebook[considered]):
        if considered is None:
            competing = families(model, phone)
        else:
            competing = _by_state(model, phone, considered[model.codebook[considered] == phone])
        columns = np.flatnonzero(model.codebook[wanted] == phone)
        asked = model.weights[phone][:, :, np.searchsorted(model.members[phone], wanted[columns])]
        above = np.stack([family.most for family in competing], axis=2)
        groups.append(Group(phone, np.concatenate([asked, above], axis=2), columns, competing))
    return groups


def levelled(model: AcousticModel, features: np.ndarray) -> np.ndarray:
    """`[STREAMS, F, 2 * CEPSTRA + 2]` float32 of `[STREAMS, F, CEPSTRA]` features: (x, x**2, 1, -level).

    The level is the largest log density of the frame and stream in any phone.
    """
    ones = np.ones((*features.shape[:2], 1), dtype=np.float32)
    x = np.concatenate([features, features * features, ones], axis=2)
    level = np.full(ones.shape, -np.inf, dtype=np.float32)
    log = np.empty((*features.shape[:2], DENSITIES), dtype=np.float32)
    for gaussians in model.gaussians:
        np.maximum(level, np.matmul(x, gaussians[:, :-1], out=log).max(axis=2, keepdims=True), out=level)
    return np.concatenate([x, -level], axis=2)


def densities(model: AcousticModel, phone: int, x: np.ndarray) -> np.ndarray:
    """`[STREAMS, F, DENSITIES]` float32 of a phone's Gaussians, over the largest of all. x: of `levelled`."""
    log = np.matmul(x, model.gaussians[phone])
    return np.exp(log, out=log)


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
    among all senones, or among `wanted` and `rivals` where those are given. It is exact: a family is left out only
    in frames where even a mixture above all of it is below one that is known already, which spares most.
    """
    frames = features.shape[1]
    nats = np.empty((frames, len(wanted)), dtype=np.float32)
    best = np.full(frames, -np.inf, dtype=np.float32)
    groups = grouped(model, wanted, rivals)
    competing = [family for group in groups for family in group.families]
    for first in range(0, frames, BLOCK_FRAMES):
        part = slice(first, first + BLOCK_FRAMES)
        x = levelled(model, features[:, part])
        level = -x[:, :, -1].sum(0)
        top = np.zeros(len(level), dtype=np.float32)
        bounds = []
        for group in groups:
            product = mixtures(densities(model, group.phone, x), group.asked)
            known = product[:, : group.columns.size]
            bounds.append(product[:, group.columns.size :].T)
            if group.columns.size:
                nats[part, group.columns] = np.log(known) + level[:, None]
                np.maximum(top, known.max(axis=1), out=top)
        above = np.concatenate(bounds)
        # the likeliest families first: what they reach spares the others
        for k in np.argsort(-above.sum(axis=1)):
            rows = np.flatnonzero(above[k] * ROUNDING > top)
            if rows.size:
                share = densities(model, competing[k].phone, x[:, rows])
                reached = mixtures(share, competing[k].weights).max(axis=1)
                top[rows] = np.maximum(top[rows], reached)
        best[part] = np.log(top) + level
    return nats, best
