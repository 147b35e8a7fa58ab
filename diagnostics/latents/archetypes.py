"""Do directions cluster into archetypes, beyond what clusters of structureless directions would show?

The mean cosine between a direction and its cluster's centre ("tightness") is high for pure noise when there are many
clusters or few dimensions: 0.94 for 64 clusters of uniform directions in 4 dimensions. So the same clustering is run
on the directions of a Gaussian that is shaped like the data; what counts is the excess over that, on held-out groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..codes.counts import NgramCounts, pack
from ..codes.kneser_ney import KneserNey
from ..estimates.bootstrap import Interval, ratio


@dataclass(frozen=True, slots=True)
class ArchetypesDiagnosis:
    """Cosines; intervals over groups."""

    num_archetypes: int
    tightness: Interval
    """Of held-out groups' directions, with centres from the other groups."""
    tightness_uniform: float
    """The same of uniform directions."""
    tightness_gaussian: float
    """The same of directions of a Gaussian shaped like the data."""
    excess: Interval
    """tightness - tightness_gaussian: structure that the shape of one Gaussian does not explain."""
    next_bits: float
    """Code length of the next archetype given the one before, bits, by a model of the other groups."""
    next_gain: Interval
    """Bits that the one before saves."""


def spherical_kmeans(
    directions: np.ndarray, num_centers: int, rng: np.random.Generator, *, iterations: int = 25
) -> np.ndarray:
    """Centres `[num_centers, D]` of unit length that maximise the mean cosine; directions: `[N, D]`, unit length.

    Dhillon & Modha 2001 from random directions; a centre that loses all its members moves to the worst-fitted one.
    """
    count = directions.shape[0]
    centers = directions[rng.choice(count, num_centers, replace=count < num_centers)].copy()
    previous = -np.inf
    for _ in range(iterations):
        label, cosine = assign(directions, centers)
        if cosine.mean() - previous < 1e-5:
            break
        previous = cosine.mean()
        order = np.argsort(label, kind="stable")
        used, starts = np.unique(label[order], return_index=True)
        sums = np.add.reduceat(directions[order], starts)
        centers[used] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        empty = np.setdiff1d(np.arange(num_centers), used)
        centers[empty] = directions[np.argsort(cosine)[: empty.size]]
    return centers


def assign(directions: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest centre of each direction and the cosine to it, `[N]` each."""
    label, cosine = np.empty(directions.shape[0], np.int64), np.empty(directions.shape[0])
    for begin in range(0, directions.shape[0], 8192):
        block = directions[begin : begin + 8192] @ centers.T
        label[begin : begin + 8192] = block.argmax(1)
        cosine[begin : begin + 8192] = block.max(1)
    return label, cosine


def tyler_shape(directions: np.ndarray, *, iterations: int = 50) -> np.ndarray:
    """Shape matrix `[D, D]`, of trace D, of the Gaussian whose directions these are most like.

    Tyler 1987, the maximum-likelihood fit of an angular central Gaussian. The covariance of the directions themselves
    would be too round: normalising takes away most where a Gaussian is longest.
    """
    dim = directions.shape[1]
    shape = np.eye(dim)
    for _ in range(iterations):
        root = np.linalg.cholesky(shape + 1e-9 * np.eye(dim))
        distance = (np.linalg.solve(root, directions.T) ** 2).sum(0)
        updated = (directions / distance[:, None]).T @ directions
        updated *= dim / np.trace(updated)
        settled = np.abs(updated - shape).max() < 1e-4
        shape = updated
        if settled:
            break
    return shape + 1e-9 * np.eye(dim)


def measure(
    directions: np.ndarray,
    groups: list[str],
    clips: np.ndarray,
    fold: np.ndarray,
    *,
    num_archetypes: int = 64,
    seed: int = 0,
) -> ArchetypesDiagnosis:
    """Cluster unit directions `[N, D]`, in order of time within each clip.

    groups, clips, fold: `[N]`, the group, the clip's number and the fold of each direction; a fold holds whole groups.
    Costs N * num_archetypes * D operations for each of some 25 iterations, folds and nulls.
    """
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(tyler_shape(directions))
    nulls = {
        "uniform": rng.normal(size=directions.shape),
        "gaussian": rng.normal(size=directions.shape) @ root.T,
    }
    cosine, bits, single = (np.zeros(directions.shape[0]) for _ in range(3))
    null_cosine = {name: np.zeros(directions.shape[0]) for name in nulls}
    for held_out in np.unique(fold):
        test, train = fold == held_out, fold != held_out
        centers = spherical_kmeans(directions[train], num_archetypes, rng)
        label, cosine_all = assign(directions, centers)
        cosine[test] = cosine_all[test]
        bits[test], single[test] = _next_bits(label, clips, train, test, num_archetypes)
        for name, null in nulls.items():
            unit = null / np.linalg.norm(null, axis=1, keepdims=True)
            null_centers = spherical_kmeans(unit[train], num_archetypes, rng)
            null_cosine[name][test] = assign(unit[test], null_centers)[1]
    ones = np.ones(directions.shape[0])
    gaussian = float(null_cosine["gaussian"].mean())
    tight = ratio(cosine, ones, groups, seed=seed)
    return ArchetypesDiagnosis(
        num_archetypes,
        tight,
        float(null_cosine["uniform"].mean()),
        gaussian,
        Interval(tight.value - gaussian, tight.low - gaussian, tight.high - gaussian, tight.num_groups),
        float(bits.mean()),
        ratio(single - bits, ones, groups, seed=seed),
    )


def _next_bits(
    label: np.ndarray, clips: np.ndarray, train: np.ndarray, test: np.ndarray, num_archetypes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Code length of each test label with and without the one before it in its clip."""
    previous = np.concatenate(([num_archetypes], label[:-1]))
    previous[np.concatenate(([True], clips[1:] != clips[:-1]))] = num_archetypes
    pairs, singles = pack([previous, label], num_archetypes), pack([label], num_archetypes)
    chained = KneserNey(NgramCounts.of(pairs[train], num_archetypes, 1))
    alone = KneserNey(NgramCounts.of(singles[train], num_archetypes, 0))
    return chained.bits(pairs[test]), alone.bits(singles[test])
