"""Classes of vectors: k-means, and coarser classes made of finer ones."""

from __future__ import annotations

import numpy as np

_PASSES = 8


def fit_centres(
    points: np.ndarray, size: int, rng: np.random.Generator, weights: np.ndarray | None = None
) -> np.ndarray:
    """Centres `[size, D]` float32 of `points` `[N, D]` (Lloyd 1982), each point counted `weights[i]` times.

    Starts from points drawn by weight. With fewer points than `size`, the points themselves.
    """
    if points.shape[0] <= size:
        return points.astype(np.float32)
    weights = np.ones(points.shape[0]) if weights is None else weights
    centres = points[rng.choice(points.shape[0], size, replace=False, p=weights / weights.sum())].astype(np.float64)
    for _ in range(_PASSES):
        label = nearest(points, centres)
        mass = np.bincount(label, weights, centres.shape[0])
        sums = np.stack([np.bincount(label, weights * column, centres.shape[0]) for column in points.T], axis=1)
        centres[mass > 0] = sums[mass > 0] / mass[mass > 0, None]
    return centres.astype(np.float32)


def nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Index of the nearest centre of each point, `[N]` int64."""
    half = 0.5 * np.square(centres).sum(1)
    blocks = [points[i : i + 8192] @ centres.T - half for i in range(0, points.shape[0], 8192)]
    return np.concatenate([block.argmax(1) for block in blocks]) if blocks else np.zeros(0, np.int64)


class NestedClasses:
    """Classes in several sizes: the finest by k-means of points, each coarser one by k-means of the finer centres."""

    def __init__(self, points: np.ndarray, sizes: tuple[int, ...], seed: int) -> None:
        """points: `[N, D]`. sizes: descending. Fewer distinct points give fewer classes."""
        rng = np.random.default_rng(seed)
        self.centres = fit_centres(points, sizes[0], rng)
        mass = np.bincount(nearest(points, self.centres), minlength=self.centres.shape[0]) + 1e-9
        self._coarser, centres = [np.arange(self.centres.shape[0])], self.centres
        for size in sizes[1:]:
            merged = fit_centres(centres, size, rng, mass)
            label = nearest(centres, merged)
            self._coarser.append(label[self._coarser[-1]])
            mass, centres = np.bincount(label, mass, merged.shape[0]) + 1e-9, merged
        self.sizes = [int(coarser.max()) + 1 for coarser in self._coarser]
        """Classes of each size; fewer where there are fewer points."""

    def labels(self, points: np.ndarray) -> list[np.ndarray]:
        """The class of each point `[N, D]` in every size, `[N]` int64 each."""
        finest = nearest(points, self.centres)
        return [coarser[finest] for coarser in self._coarser]
