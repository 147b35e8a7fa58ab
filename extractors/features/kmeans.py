"""K-means as passes whose parts can be merged: each worker sums over its own frames, the driver adds the sums.

A pass is a `Survey` or a `Lloyd` step, `part` on every part of the data, `merge` over the parts in their order, then
`Fit.start` or `Fit.after`. Sums are float64: another split into parts moves a centroid by rounding only, and the same
split gives the same bits wherever the parts are made. Starting centroids come from a sample that is mergeable too: the
frames with the smallest hash of their name, whatever order or worker they come from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

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
    def of(cls, key: str, vectors: np.ndarray, size: int, share: float = 1.0) -> Sample:
        """Of one clip's `[N, D]`; share: of all hashes, the smallest, that are looked at."""
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
        hashes = np.random.default_rng(seed).integers(0, 2**64, size=len(vectors), dtype=np.uint64)
        low = hashes <= np.uint64(share * (2**64 - 1)) if share < 1 else slice(None)
        return cls(size, hashes[low], vectors[low].astype(np.float64))._cut()

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
class Survey:
    """The first pass: moments to standardise by, and a sample to start from."""

    sample: int
    share: float = 1.0
    """Share of all vectors of which the sample is taken, by hash: what a part need not send."""

    def part(self, batches: Iterable[tuple[str, np.ndarray]]) -> Surveyed | None:
        """What these (key, `[N, D]`) add; None for no vectors."""
        total: Surveyed | None = None
        for key, vectors in batches:
            if len(vectors):
                found = Surveyed(Moments.of(vectors), Sample.of(key, vectors, self.sample, self.share))
                total = found if total is None else total.merge(found)
        return total


@dataclass(frozen=True)
class Surveyed:
    """What the first pass collects."""

    moments: Moments
    drawn: Sample

    def merge(self, other: Surveyed) -> Surveyed:
        """Of both."""
        return Surveyed(self.moments.merge(other.moments), self.drawn.merge(other.drawn))


@dataclass(frozen=True)
class Lloyd:
    """A later pass: every vector to the nearest of fixed centroids, of every size."""

    mean: np.ndarray
    deviation: np.ndarray
    centroids: dict[int, np.ndarray]

    def part(self, batches: Iterable[tuple[str, np.ndarray]]) -> dict[int, Sums] | None:
        """What these (key, `[N, D]`) add, by size; None for no vectors."""
        total: dict[int, Sums] | None = None
        for _, vectors in batches:
            if len(vectors):
                scaled = (vectors.astype(np.float64) - self.mean) / self.deviation
                found = {size: partial(scaled, centroids) for size, centroids in self.centroids.items()}
                total = found if total is None else merged(total, found)
        return total


def merged(a: dict[int, Sums], b: dict[int, Sums]) -> dict[int, Sums]:
    """Sums of both, by size."""
    return {size: a[size].merge(b[size]) for size in a}


@dataclass(frozen=True)
class Fit:
    """Centroids in standardised space, one array per size, with how they were reached."""

    mean: np.ndarray
    deviation: np.ndarray
    centroids: dict[int, np.ndarray]
    inertia: dict[int, list[float]]
    """Mean squared distance per vector, one value per pass."""
    frames: int

    @classmethod
    def start(cls, found: Surveyed, sizes: Sequence[int], seed: int) -> Fit:
        """Before the first Lloyd pass: k-means++ on the sample, for each size."""
        moments = found.moments
        standard = (found.drawn.vectors - moments.mean) / moments.deviation
        centroids = {size: plus_plus(standard, size, seed) for size in sizes}
        return cls(moments.mean, moments.deviation, centroids, {size: [] for size in sizes}, moments.count)

    def after(self, sums: dict[int, Sums]) -> Fit:
        """One Lloyd pass later."""
        centroids = {size: update(self.centroids[size], sums[size]) for size in self.centroids}
        inertia = {size: [*self.inertia[size], sums[size].inertia / self.frames] for size in self.centroids}
        return Fit(self.mean, self.deviation, centroids, inertia, self.frames)

    @property
    def passes(self) -> int:
        """Lloyd passes done."""
        return len(next(iter(self.inertia.values())))


def fit(batches: Batches, sizes: Sequence[int], passes: int = 20, seed: int = 0, sample: int = 20_000) -> Fit:
    """All `sizes` at once from the same passes over the data: one to standardise and sample, then `passes`."""
    return fit_parts(lambda stage: [stage.part(batches())], sizes, passes, seed, Survey(sample))


def fit_parts(
    run: Callable[[Survey | Lloyd], Iterable[Any]],
    sizes: Sequence[int],
    passes: int,
    seed: int,
    survey: Survey,
    begun: Fit | None = None,
    keep: Callable[[Fit], None] = lambda _: None,
) -> Fit:
    """`fit` where a pass is made of parts: `run` gives what `stage.part` makes of each, always in the same order.

    begun: of an interrupted fit, as `keep` got it after every pass.
    Raises ValueError where there are no vectors.
    """
    if begun is None:
        found: list[Surveyed] = [part for part in run(survey) if part is not None]
        if not found:
            raise ValueError("no vectors to fit k-means on")
        begun = Fit.start(reduce(Surveyed.merge, found), sizes, seed)
        keep(begun)
    while begun.passes < passes:
        stage = Lloyd(begun.mean, begun.deviation, begun.centroids)
        begun = begun.after(reduce(merged, (part for part in run(stage) if part is not None)))
        keep(begun)
    return begun
