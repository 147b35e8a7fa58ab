"""A frame's linear Gaussian prediction from its past, measured against knowing nothing but the frame's distribution.

Everything happens in coordinates where the training frames have identity covariance. There the baseline is the
standard normal, the ridge is in units of the frames' own variance, and neither scale nor rotation of the latents nor
any other invertible linear map changes the gain.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from .lag_moments import LagMoments

# Relative to the largest: directions of less variance are duplicates or dead dimensions, seen through rounding.
_SMALLEST_VARIANCE = 1e-9
DETERMINISTIC = 1e-7
"""Share of a direction's variance that is left when it counts as determined by the past."""


class GaussianPredictor:
    """Ridge regression of z_t on lagged frames with full innovation covariance."""

    def __init__(self, moments: LagMoments, ridge: float) -> None:
        """moments: of training rows, more of them than dimensions. ridge: in units of the whitened variance (1).

        Raises ValueError where there are too few rows to whiten, or nothing varies.
        """
        if moments.num_rows <= moments.dim:
            raise ValueError(f"{moments.num_rows} frames cannot whiten {moments.dim} dimensions")
        self.lags, self.ridge = moments.lags, ridge
        self._center = moments.total / moments.num_rows
        covariance = moments.covariance_about(self._center)
        self._whiten = whitener(covariance[: moments.dim, : moments.dim])
        self.rank = self._whiten.shape[0]
        frame, cross, past = self.blocks(moments)
        factor = linalg.cho_factor(past + (ridge + 1e-10) * np.eye(past.shape[0]))
        self.weights = linalg.cho_solve(factor, cross.T).T
        """`[R, R * lags]`: the whitened frame from its whitened past."""
        # with a ridge, the innovation is what the shrunk prediction leaves, not the Schur complement
        projected = self.weights @ cross.T
        innovation = frame - projected - projected.T
        predicted = self.weights @ past @ self.weights.T
        innovation += predicted
        self._promising = linalg.eigh((predicted + predicted.T) / 2)[1][:, ::-1]
        variances, directions = linalg.eigh((innovation + innovation.T) / 2)
        self.num_deterministic = int(np.count_nonzero(variances < DETERMINISTIC))
        """Directions that follow exactly from the past: their gain is limited only by rounding."""
        variances = np.maximum(variances, DETERMINISTIC)
        self.log_determinant = float(np.log(variances).sum())
        """Of the covariance of what the prediction leaves, in whitened coordinates."""
        self.standardise = directions.T / np.sqrt(variances)[:, None]
        """`[R, R]`: of what it leaves, to unit covariance."""

    def blocks(self, moments: LagMoments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Covariances of rows about the training rows' mean, in whitened coordinates: of the frame `[R, R]`, of frame
        and past `[R, R * lags]`, of the past."""
        covariance = moments.covariance_about(self._center)
        dim, blocks = self._whiten.shape[1], 1 + len(self.lags)
        tensor = covariance.reshape(blocks, dim, blocks, dim)
        tensor = np.einsum("ri,aibj,sj->arbs", self._whiten, tensor, self._whiten, optimize=True)
        whole = tensor.reshape(blocks * self.rank, blocks * self.rank)
        return whole[: self.rank, : self.rank], whole[: self.rank, self.rank :], whole[self.rank :, self.rank :]

    def white(self, latents: np.ndarray) -> np.ndarray:
        """`[R, T]` frames of a clip `[D, T]` about the mean, in coordinates of unit covariance."""
        return self._whiten @ (latents - self._center[: latents.shape[0], None])

    def white_rows(self, latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Frames `[R, N]` of a clip `[D, T]` that have their whole past, and the past `[R * lags, N]`, whitened."""
        white, longest = self.white(latents), max(self.lags)
        count = max(white.shape[1] - longest, 0)
        # a frame is whitened once, and its mean as a past is corrected: it is over other rows than that as a frame
        centers = self._center.reshape(1 + len(self.lags), -1)
        moved = (centers[0] - centers[1:]) @ self._whiten.T
        past = [
            white[:, longest - lag :][:, :count] + each[:, None] for lag, each in zip(self.lags, moved, strict=True)
        ]
        return white[:, longest:], np.concatenate(past)

    def ahead(self, steps: int) -> np.ndarray:
        """`[steps, R, R * lags]`: the prediction of the frame 1, 2 ... steps later from whitened frames, the newest
        first. Predictions of one step are fed back. The lags have to be 1, 2 ... p.

        Raises ValueError for other lags.
        """
        if self.lags != tuple(range(1, len(self.lags) + 1)):
            raise ValueError(f"lags {self.lags} leave frames out that a prediction several steps ahead needs")
        rank, order = self.rank, len(self.lags)
        each = self.weights.reshape(rank, order, rank)
        # frame t - i in terms of the past itself
        known = list(np.eye(rank * order).reshape(order, rank, rank * order)[::-1])
        for _ in range(steps):
            known.append(sum((each[:, i] @ known[-1 - i] for i in range(order)), np.zeros((rank, rank * order))))
        return np.stack(known[order:])

    def gain(self, latents: np.ndarray) -> np.ndarray:
        """log p(z_t | past) - log p(z_t) of a clip `[D, T]`, for frames that have their whole past.

        Returns `[T - max lag]` nats.
        """
        frame, past = self.white_rows(latents)
        left = self.standardise @ (frame - self.weights @ past)
        return ((frame**2).sum(0) - (left**2).sum(0) - self.log_determinant) / 2

    def explained(self, moments: LagMoments) -> np.ndarray:
        """`[R]`: how much of a held-out direction's variance its prediction removes, in whitened coordinates; negative
        where it adds some. Directions in the order of what the training rows promised, most first."""
        _, cross, past = self.blocks(moments)
        # what is removed: twice the covariance of frame and prediction, less the prediction's own variance
        removed = 2 * self.weights @ cross.T - self.weights @ past @ self.weights.T
        return np.einsum("ir,ij,jr->r", self._promising, removed, self._promising, optimize=True)

    def expected_gain(self, moments: LagMoments) -> float:
        """Mean of `gain` over held-out rows, from their moments alone; nats per frame."""
        frame, cross, past = self.blocks(moments)
        projected = self.weights @ cross.T
        left = frame - projected - projected.T + self.weights @ past @ self.weights.T
        remaining = float(np.einsum("ij,jk,ik->", self.standardise, left, self.standardise, optimize=True))
        return (float(np.trace(frame)) - remaining - self.log_determinant) / 2


def whitener(covariance: np.ndarray) -> np.ndarray:
    """`[R, D]` matrix W with W C W^T = 1, R the number of directions that carry variance.

    Dimensions are brought to unit variance first, so that a small scale is not mistaken for no variance.
    Raises ValueError when nothing varies.
    """
    variance = np.diag(covariance)
    alive = variance > 0
    if not alive.any():
        raise ValueError("latents are constant: there is nothing to predict")
    scale = np.zeros_like(variance)
    scale[alive] = 1 / np.sqrt(variance[alive])
    values, vectors = linalg.eigh(covariance * scale[:, None] * scale)
    kept = values > _SMALLEST_VARIANCE * values[-1]
    return vectors[:, kept].T / np.sqrt(values[kept])[:, None] * scale
