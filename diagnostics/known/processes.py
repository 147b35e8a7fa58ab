"""Gaussian processes with known predictive information: what the estimators for latents are held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, special


@dataclass(frozen=True, slots=True, eq=False)
class VectorAutoregression:
    """z_t = A z_{t-1} + e_t with e of covariance `noise`; `transition` and `noise` are `[D, D]`."""

    transition: np.ndarray
    noise: np.ndarray
    stationary: np.ndarray
    """Covariance of z_t."""

    @classmethod
    def random(cls, dim: int, radius: float, seed: int) -> VectorAutoregression:
        """A random transition scaled to this spectral radius, and correlated noise."""
        rng = np.random.default_rng(seed)
        transition = rng.normal(size=(dim, dim))
        transition *= radius / np.abs(np.linalg.eigvals(transition)).max()
        shape = rng.normal(size=(dim, dim)) / np.sqrt(dim) + np.eye(dim)
        noise = shape @ shape.T
        return cls(transition, noise, np.asarray(linalg.solve_discrete_lyapunov(transition, noise)))

    @property
    def gain(self) -> float:
        """I(z_t; past) = (log det stationary - log det noise) / 2, nats per frame."""
        return float(np.linalg.slogdet(self.stationary)[1] - np.linalg.slogdet(self.noise)[1]) / 2

    @property
    def pair_gains(self) -> np.ndarray:
        """`[D]` nats of each canonical pair of a frame with the one before, most first; their sum is `gain`."""
        root = np.linalg.cholesky(self.stationary)
        between = linalg.solve_triangular(root, self.transition @ root, lower=True)
        return -np.log1p(-(np.linalg.svd(between, compute_uv=False) ** 2)) / 2

    def sample(self, clips: int, length: int, seed: int) -> np.ndarray:
        """`[clips, D, length]` float64 from the stationary distribution."""
        rng = np.random.default_rng(seed)
        draw = np.linalg.cholesky(self.noise)
        state = np.linalg.cholesky(self.stationary) @ rng.normal(size=(self.noise.shape[0], clips))
        result = np.empty((length, *state.shape))
        for t in range(length):
            result[t] = state
            state = self.transition @ state + draw @ rng.normal(size=state.shape)
        return result.transpose(2, 1, 0)

    def oracle_gain(self, latents: np.ndarray) -> np.ndarray:
        """log p(z_t | z_{t-1}) - log p(z_t) under the true process, `[T - 1]` nats, for a clip `[D, T]`."""

        def density(x: np.ndarray, covariance: np.ndarray) -> np.ndarray:
            root = np.linalg.cholesky(covariance)
            return -(linalg.solve_triangular(root, x, lower=True) ** 2).sum(0) / 2 - np.log(np.diag(root)).sum()

        now, before = latents[:, 1:], latents[:, :-1]
        return density(now - self.transition @ before, self.noise) - density(now, self.stationary)


def ornstein_uhlenbeck(
    dim: int, time_constant_s: float, frame_rate: float, clips: int, seconds: float, seed: int
) -> np.ndarray:
    """`[clips, dim, seconds * frame_rate]`: independent unit-variance components sampled at `frame_rate` Hz.

    The same process at every rate, so I(z_t; z_{t + tau}) does not depend on it: see `ornstein_uhlenbeck_information`.
    """
    rng = np.random.default_rng(seed)
    decay = float(np.exp(-1 / (frame_rate * time_constant_s)))
    state = rng.normal(size=(clips, dim))
    result = np.empty((clips, dim, round(seconds * frame_rate)))
    for t in range(result.shape[2]):
        result[:, :, t] = state
        state = decay * state + np.sqrt(1 - decay**2) * rng.normal(size=state.shape)
    return result


def ornstein_uhlenbeck_information(dim: int, time_constant_s: float, tau_s: float) -> float:
    """I(z_t; z_{t + tau}) = -(dim / 2) log(1 - exp(-2 tau / time_constant)), nats."""
    return -dim / 2 * float(np.log1p(-np.exp(-2 * tau_s / time_constant_s)))


def forecast_cosine(dim: int, correlation: float) -> float:
    """Mean cosine of two independent-component Gaussian vectors whose components correlate by this much.

    That of a sample correlation about known means (Hotelling 1953): with n = `dim`,
    r (2/n) (Gamma((n+1)/2) / Gamma(n/2))^2 F(1/2, 1/2; (n+2)/2; r^2).
    """
    shrink = 2 / dim * np.exp(2 * (special.gammaln((dim + 1) / 2) - special.gammaln(dim / 2)))
    return float(correlation * shrink * special.hyp2f1(0.5, 0.5, dim / 2 + 1, correlation**2))


def ornstein_uhlenbeck_forecast(dim: int, decay: float, steps: int) -> dict[str, float]:
    """Of the best prediction `steps` ahead of a process that keeps `decay` of a frame: what `motion.rollout` measures.

    The prediction is decay^K z. So frames correlate by decay^K, and displacements by sqrt((1 - decay^K) / 2), which is
    also the ratio of their lengths.
    """
    kept = decay**steps
    moved = float(np.sqrt((1 - kept) / 2))
    return {"frame_cos": forecast_cosine(dim, kept), "dir_cos": forecast_cosine(dim, moved), "length_ratio": moved}


@dataclass(frozen=True, slots=True)
class SignFlip:
    """z_t = s_t decay z_{t-1} + sqrt(1 - decay^2) e_t with s_t = 1 or -1 by a fair coin, z of variance 1.

    Single frames are Gaussian, and no frame correlates with another: a linear prediction gains nothing.
    """

    dim: int
    decay: float

    def sample(self, clips: int, length: int, seed: int) -> np.ndarray:
        """`[clips, dim, length]`"""
        rng = np.random.default_rng(seed)
        state, result = rng.normal(size=(clips, self.dim)), np.empty((clips, self.dim, length))
        for t in range(length):
            result[:, :, t] = state
            sign = rng.choice((-1.0, 1.0), (clips, 1))
            state = sign * self.decay * state + np.sqrt(1 - self.decay**2) * rng.normal(size=state.shape)
        return result

    def gain(self, draws: int = 400_000, seed: int = 0) -> float:
        """I(z_t; z_{t-1}) in nats by drawing frames and evaluating both densities; its error is a few thousandths."""
        rng, variance = np.random.default_rng(seed), 1 - self.decay**2
        before = rng.normal(size=(draws, self.dim))
        after = self.decay * before + np.sqrt(variance) * rng.normal(size=before.shape)
        # the coin is fair and the noise symmetric, so half of the draws need not be flipped
        each = [-((after - sign * self.decay * before) ** 2).sum(1) / (2 * variance) for sign in (1, -1)]
        given = np.logaddexp(*each) - np.log(2) - self.dim / 2 * np.log(variance)
        return float((given + (after**2).sum(1) / 2).mean())
