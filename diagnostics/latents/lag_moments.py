"""First and second moments of frames beside their past: all that linear Gaussian prediction needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(slots=True, eq=False)
class LagMoments:
    """Sums over rows `[z_t, z_{t - lags[0]}, z_{t - lags[1]}, ...]`, float64; rows never cross clips.

    Sums of floats depend on their order in the last bits: merge in a fixed order where that matters, or accept 1e-9.
    """

    dim: int
    lags: tuple[int, ...]
    """Frames into the past, each at least 1."""
    num_rows: int
    total: np.ndarray
    """`[D * (1 + len(lags))]`"""
    products: np.ndarray
    """`[D * (1 + len(lags)), same]`"""

    @classmethod
    def empty(cls, dim: int, lags: Iterable[int]) -> LagMoments:
        """Nothing counted yet."""
        lags = tuple(lags)
        size = dim * (1 + len(lags))
        return cls(dim, lags, 0, np.zeros(size), np.zeros((size, size)))

    @classmethod
    def of(cls, clips: Iterable[np.ndarray], dim: int, lags: Iterable[int]) -> LagMoments:
        """Moments of whole clips `[D, T]`."""
        moments = cls.empty(dim, lags)
        for clip in clips:
            moments.add(clip)
        return moments

    def add(self, latents: np.ndarray) -> None:
        """Count a clip `[D, T]`; one shorter than the longest lag adds nothing."""
        stacked = rows(latents, self.lags)
        if stacked.shape[1]:
            self.num_rows += stacked.shape[1]
            self.total += stacked.sum(1)
            self.products += stacked @ stacked.T

    def __add__(self, other: LagMoments) -> LagMoments:
        self._require_same_kind(other)
        return LagMoments(
            self.dim,
            self.lags,
            self.num_rows + other.num_rows,
            self.total + other.total,
            self.products + other.products,
        )

    def __sub__(self, other: LagMoments) -> LagMoments:
        self._require_same_kind(other)
        return LagMoments(
            self.dim,
            self.lags,
            self.num_rows - other.num_rows,
            self.total - other.total,
            self.products - other.products,
        )

    def first(self, num_lags: int) -> LagMoments:
        """The same rows with only the first `num_lags` lags."""
        size = self.dim * (1 + num_lags)
        return LagMoments(self.dim, self.lags[:num_lags], self.num_rows, self.total[:size], self.products[:size, :size])

    def covariance_about(self, center: np.ndarray) -> np.ndarray:
        """Mean of (y - center)(y - center)^T over the rows y."""
        mean = self.total / self.num_rows
        cross = np.outer(center, mean)
        return self.products / self.num_rows - cross - cross.T + np.outer(center, center)

    def _require_same_kind(self, other: LagMoments) -> None:
        if (self.dim, self.lags) != (other.dim, other.lags):
            raise ValueError(
                f"moments differ in kind: dimension {self.dim} lags {self.lags} "
                f"and dimension {other.dim} lags {other.lags}"
            )


def total(parts: Sequence[LagMoments]) -> LagMoments:
    """Of all parts, added in their order."""
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return whole


def rows(latents: np.ndarray, lags: tuple[int, ...]) -> np.ndarray:
    """`[D * (1 + len(lags)), T - max(lags)]` float64: each frame on top of its lagged past; no column if too short."""
    length = latents.shape[1] - max(lags)
    if length <= 0:
        return np.zeros((latents.shape[0] * (1 + len(lags)), 0))
    first = max(lags)
    return np.concatenate([latents[:, first - lag : first - lag + length] for lag in (0, *lags)]).astype(np.float64)
