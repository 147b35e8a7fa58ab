"""Do directions cluster into archetypes, beyond what clusters of structureless directions would show?

The mean cosine between a direction and its cluster's centre ("tightness") is high for pure noise when there are many
clusters or few dimensions: 0.94 for 64 clusters of uniform directions in 4 dimensions. So the same clustering is run
on a null, the steps of the same clips with their frames shuffled in time, and what counts is the excess over that on
held-out groups. The null is a sample too: clips are paired, so that its error is in the interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..estimates.interval import Interval, paired_difference, ratio
from ..ngrams.counts import NgramCounts, pack
from ..ngrams.kneser_ney import KneserNey


@dataclass(frozen=True, slots=True)
class ArchetypesDiagnosis:
    """Cosines; intervals over groups."""

    num_archetypes: int
    tightness: Interval
    """Of held-out groups' directions, with centres from the other groups."""
    tightness_null: float
    """The same of the null's directions, with centres of their own."""
    excess: Interval
    """tightness - tightness_null."""
    next_bits: float
    """Code length of the next archetype given the one before, bits, by a model of the other groups."""
    next_gain: Interval
    """Bits that the one before saves."""
    next_gain_null: float
    next_gain_excess: Interval
    """next_gain - next_gain_null."""


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """Unit directions `[N, D]`, in order of time within each clip."""

    values: np.ndarray
    clip: np.ndarray
    """`[N]` number of the clip."""


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


def measure(
    directions: Directions,
    null: Directions,
    groups: list[str],
    fold: np.ndarray,
    *,
    num_archetypes: int = 64,
    seed: int = 0,
) -> ArchetypesDiagnosis:
    """Cluster directions and, apart from them, a null of the same clips.

    groups, fold: `[C]`, group and fold of every clip; a fold holds whole groups.
    Costs N * num_archetypes * D operations for each of some 25 iterations and folds, twice.
    """
    found, nothing = (_Clustered.of(each, fold, num_archetypes, seed) for each in (directions, null))

    def excess(name: str) -> Interval:
        tops = getattr(found, name), getattr(nothing, name)
        return paired_difference(tops, (found.count, nothing.count), groups)

    return ArchetypesDiagnosis(
        num_archetypes,
        ratio(found.cosine, found.count, groups),
        float(nothing.cosine.sum() / nothing.count.sum()),
        excess("cosine"),
        float(found.bits.sum() / found.count.sum()),
        ratio(found.gain, found.count, groups),
        float(nothing.gain.sum() / nothing.count.sum()),
        excess("gain"),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Clustered:
    """Sums per clip, `[C]`, cross-fitted."""

    count: np.ndarray
    cosine: np.ndarray
    bits: np.ndarray
    gain: np.ndarray

    @classmethod
    def of(cls, directions: Directions, fold_of_clip: np.ndarray, num_archetypes: int, seed: int) -> _Clustered:
        values, clip = directions.values, directions.clip
        fold, rng = fold_of_clip[clip], np.random.default_rng(seed)
        cosine, bits, single = (np.zeros(values.shape[0]) for _ in range(3))
        for held_out in np.unique(fold):
            test, train = fold == held_out, fold != held_out
            centers = spherical_kmeans(values[train], num_archetypes, rng)
            label, cosine_all = assign(values, centers)
            cosine[test] = cosine_all[test]
            bits[test], single[test] = _next_bits(label, clip, train, test, num_archetypes)
        size = fold_of_clip.shape[0]
        counts = np.bincount(clip, minlength=size).astype(np.float64)
        return cls(counts, *(np.bincount(clip, each, size) for each in (cosine, bits, single - bits)))


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
