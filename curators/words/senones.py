"""How likely every frame is in the states that matter, and in the best state of all."""

from __future__ import annotations

import numpy as np

from .acoustic_model import DENSITIES, STREAMS, AcousticModel

BLOCK_FRAMES = 512
LEAST_SHARE = np.float32(1e-12)
"""Smallest share of the frame's largest density that a mixture may have: no stream says more than 28 nats against a
senone, and the product of three still fits float32."""


def densities(model: AcousticModel, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Density of every Gaussian over the largest of its frame and stream, and the log of that largest.

    features: `[STREAMS, F, CEPSTRA]` float32. Returns `[STREAMS, F, C * DENSITIES]` and `[STREAMS, F]` float32.
    """
    log = np.matmul(features, model.linear.transpose(0, 2, 1))
    log += np.matmul(features * features, model.quadratic.transpose(0, 2, 1))
    log += model.constant[:, None, :]
    largest = log.max(axis=2)
    log -= largest[:, :, None]
    return np.exp(log, out=log), largest


def senone_nats(
    model: AcousticModel, features: np.ndarray, wanted: np.ndarray, rivals: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Log likelihood in nats of every frame in each of `wanted`, `[F, N]`, and in the best senone, `[F]`, float32.

    features: `[STREAMS, F, CEPSTRA]` float32. wanted: senones, ascending, without repetition. The best is sought
    among all senones, or among `wanted` and `rivals` where those are given, which is several times faster.
    """
    frames = features.shape[1]
    nats = np.empty((frames, len(wanted)), dtype=np.float32)
    best = np.full(frames, -np.inf, dtype=np.float32)
    considered = np.arange(len(model.codebook)) if rivals is None else np.union1d(wanted, rivals)
    book = model.codebook[considered]
    groups = []
    for c in np.unique(book):
        senones = considered[book == c]
        columns = np.searchsorted(wanted, senones)
        asked = np.flatnonzero(wanted[np.minimum(columns, len(wanted) - 1)] == senones)
        own = np.searchsorted(model.members[c], senones)
        weights = model.weights[c] if rivals is None else model.weights[c][:, :, own]
        groups.append((slice(c * DENSITIES, (c + 1) * DENSITIES), weights, asked, columns[asked]))
    for first in range(0, frames, BLOCK_FRAMES):
        part = slice(first, first + BLOCK_FRAMES)
        share, largest = densities(model, features[:, part])
        level = largest.sum(0)
        top = np.zeros(len(level), dtype=np.float32)
        for densities_of, weights, asked, columns in groups:
            product = np.maximum(share[0, :, densities_of] @ weights[0], LEAST_SHARE)
            for s in range(1, STREAMS):
                product *= np.maximum(share[s, :, densities_of] @ weights[s], LEAST_SHARE)
            np.maximum(top, product.max(1), out=top)
            if asked.size:
                nats[part, columns] = np.log(product[:, asked]) + level[:, None]
        best[part] = np.log(top) + level
    return nats, best
