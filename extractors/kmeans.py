"""K-means as passes whose parts can be merged: each worker sums over its own frames, the driver adds the sums.

One pass is `partial` on every batch, `merge` over all of them, `update` once. Sums are float64, so that the split into
batches moves a centroid by rounding only. Starting centroids come from a sample that is mergeable too: the frames with
the smallest hash of their name, whatever order or worker they come from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

Batches = Callable[[], Iterable[tuple[str, np.ndarray]]]
"""Starts a new pass: (key of a clip, its vectors `[N, D]`)."""


@dataclass(frozen=True)
class Moments:
    """Count, sum and sum of squares per dimension: what standardising needs."""

    count: int
    total: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> Moments:
        """Of `[N, D]`."""
        wide = vectors.astype(np.float64)
        return cls(len(wide), wide.sum(0), np.square(wide).sum(0))

    def merge(self, other: Moments) -> Moments:
        """Of both."""
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> np.ndarray:
        """`[D]`."""
        return self.total / max(self.count, 1)

    @property
    def deviation(self) -> np.ndarray:
        """`[D]`; 1 where a dimension is constant."""
        variance = self.squares / max(self.count, 1) - np.square(self.mean)
        return np.where(variance > 1e-12, np.sqrt(np.clip(variance, 1e-12, None)), 1.0)


@dataclass(frozen=True)
class Sample:
    """The `size` vectors with the smallest hash of (key, index): a uniform sample that merges in any order."""

    size: int
    order: np.ndarray
    """`[n]` uint64, ascending."""
    vectors: np.ndarray
    """`[n, D]`."""

    @classmethod
    def of(cls, key: str, vectors: np.ndarray, size: int) -> Sample:
        """Of one clip's `[N, D]`."""
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
        hashes = np.random.default_rng(seed).integers(0, 2**64, size=len(vectors), dtype=np.uint64)
        return cls(size, hashes, vectors.astype(np.float64))._cut()

    def merge(self, other: Sample) -> Sample:
        """Of both."""
        both = Sample(
            self.size, np.concatenate([self.order, other.order]), np.concatenate([self.vectors, other.vectors])
        )
        return both._cut()

    def _cut(self) -> Sample:
        keep = np.argsort(self.order, kind="stable")[: self.size]
        return Sample(self.size, self.order[keep], self.vectors[keep])


@dataclass(frozen=True)
class Sums:
    """What one pass collects: hits and vector sums per centroid, and the squared distance to them in all."""

    hits: np.ndarray
    """`[K]` int64."""
    totals: np.ndarray
    """`[K, D]` float64."""
    inertia: float

    def merge(self, other: Sums) -> Sums:
        """Of both."""
        return Sums(self.hits + other.hits, self.totals + other.totals, self.inertia + other.inertia)


def assign(vectors: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Index `[N]` int64 of the nearest of `[K, D]` to each of `[N, D]`; the lower index at a tie."""
    return (vectors @ centroids.T - 0.5 * np.square(centroids).sum(1)).argmax(1)


def partial(vectors: np.ndarray, centroids: np.ndarray) -> Sums:
    """One batch `[N, D]` of a pass against `centroids` `[K, D]`."""
    wide = vectors.astype(np.float64)
    index = assign(wide, centroids)
    totals = np.zeros_like(centroids, dtype=np.float64)
    np.add.at(totals, index, wide)
    distance = float(np.square(wide - centroids[index]).sum())
    return Sums(np.bincount(index, minlength=len(centroids)), totals, distance)


def update(centroids: np.ndarray, sums: Sums) -> np.ndarray:
    """New centroids `[K, D]`: means; an empty one moves beside the fullest that has not been split yet."""
    means = np.where(sums.hits[:, None] > 0, sums.totals / np.maximum(sums.hits, 1)[:, None], centroids)
    empty = np.flatnonzero(sums.hits == 0)
    fullest = np.argsort(-sums.hits, kind="stable")[: len(empty)]
    spread = means.std(0) * 1e-2
    means[empty] = means[fullest] + spread
    return means


def plus_plus(vectors: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Starting centroids `[size, D]` from a sample: each drawn by its squared distance to those before.

    Arthur and Vassilvitskii 2007, k-means++. Fewer distinct vectors than `size` are repeated with a little noise.
    """
    rng = np.random.default_rng(seed)
    chosen = [vectors[rng.integers(len(vectors))]]
    distance = np.square(vectors - chosen[0]).sum(1)
    while len(chosen) < size:
        if distance.sum() > 0:
            chosen.append(vectors[rng.choice(len(vectors), p=distance / distance.sum())])
        else:
            chosen.append(chosen[-1] + rng.normal(scale=1e-6, size=vectors.shape[1]))
        distance = np.minimum(distance, np.square(vectors - chosen[-1]).sum(1))
    return np.stack(chosen)


@dataclass(frozen=True)
class Fit:
    """Centroids in standardised space, one array per size, with how they were reached."""

    mean: np.ndarray
    deviation: np.ndarray
    centroids: dict[int, np.ndarray]
    inertia: dict[int, list[float]]
    """Mean squared distance per vector, one value per pass."""
    frames: int


def fit(batches: Batches, sizes: Sequence[int], passes: int = 20, seed: int = 0, sample: int = 20_000) -> Fit:
    """All `sizes` at once from the same passes over the data: one to standardise and sample, then `passes`."""
    prepared = ((Moments.of(v), Sample.of(k, v, sample)) for k, v in batches() if len(v))
    first = next(prepared, None)
    if first is None:
        raise ValueError("no vectors to fit k-means on")
    moments, drawn = reduce(lambda a, b: (a[0].merge(b[0]), a[1].merge(b[1])), prepared, first)
    mean, deviation = moments.mean, moments.deviation
    standard = (drawn.vectors - mean) / deviation
    centroids = {size: plus_plus(standard, size, seed) for size in sizes}
    inertia: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(passes):
        sums: dict[int, Sums] = {}
        for _, vectors in batches():
            scaled = (vectors.astype(np.float64) - mean) / deviation
            for size in sizes:
                part = partial(scaled, centroids[size])
                sums[size] = sums[size].merge(part) if size in sums else part
        for size in sizes:
            inertia[size].append(sums[size].inertia / moments.count)
            centroids[size] = update(centroids[size], sums[size])
    return Fit(mean, deviation, centroids, inertia, moments.count)
