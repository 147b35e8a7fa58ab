"""A vector given its past as direction times length: von Mises-Fisher around a linear prediction, log-normal length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .von_mises_fisher import fit_concentration, log_normaliser

RIDGES = (1e-4, 1e-2, 1e-1)
_FEATURES = (("one",), ("step", "one"), ("frame", "one"), ("frame", "step", "one"))


@dataclass(frozen=True, slots=True, eq=False)
class PolarView:
    """Rows `[N, D]` split into direction and length, beside what predicts them."""

    direction: np.ndarray
    """`[N, D]` of unit length."""
    log_length: np.ndarray
    previous_log_length: np.ndarray
    features: dict[str, np.ndarray]
    log_scale: float
    """log determinant of the map from the coordinates that densities are wanted in to those of the rows."""

    @classmethod
    def of(cls, rows: np.ndarray, previous: np.ndarray, features: dict[str, np.ndarray], log_scale: float) -> PolarView:
        """rows, previous: `[N, D]`, none of them zero."""
        length, previous_length = np.linalg.norm(rows, axis=1), np.linalg.norm(previous, axis=1)
        features = features | {"one": np.ones((rows.shape[0], 1))}
        return cls(rows / length[:, None], np.log(length), np.log(previous_length), features, log_scale)

    def lengths(self, train: np.ndarray, at: np.ndarray, *, past: bool) -> tuple[np.ndarray, float]:
        """Errors of the predicted log lengths at these rows, and the training residual's variance.

        past: from the length before; else from the mean alone.
        """
        slope, intercept = 0.0, float(self.log_length[train].mean())
        if past:
            slope, intercept = np.polyfit(self.previous_log_length[train], self.log_length[train], 1)
        residual = self.log_length[train] - slope * self.previous_log_length[train] - intercept
        error = self.log_length[at] - slope * self.previous_log_length[at] - intercept
        return error, float(max(residual.var(), 1e-12))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which features predict the direction, how much they are shrunk, and how concentrated directions are."""

    names: tuple[str, ...]
    ridge: float
    concentration: float

    @classmethod
    def blind(cls, view: PolarView, train: np.ndarray, validation: np.ndarray) -> Choice:
        """The mean direction only."""
        cosine = _Regression(view, train & ~validation).predict(("one",), RIDGES[0], np.flatnonzero(validation))
        mean = float((cosine * view.direction[validation]).sum(1).mean())
        return cls(("one",), RIDGES[0], fit_concentration(view.direction.shape[1], mean))

    def cosine(self, view: PolarView, train: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Between the direction and its prediction by the training rows, `[len(at)]`."""
        mean = _Regression(view, train).predict(self.names, self.ridge, at)
        return (mean * view.direction[at]).sum(1)


def choose(view: PolarView, train: np.ndarray, validation: np.ndarray) -> Choice:
    """Features and ridge with the best cosine on the validation rows, fitted on the other rows; kappa there."""
    options = [(names, ridge) for names in _FEATURES for ridge in RIDGES]
    regression, at = _Regression(view, train & ~validation), np.flatnonzero(validation)
    scores = [float((regression.predict(*o, at) * view.direction[at]).sum(1).mean()) for o in options]
    best = int(np.argmax(scores))
    return Choice(*options[best], fit_concentration(view.direction.shape[1], scores[best]))


def log_density(view: PolarView, choice: Choice, train: np.ndarray, at: np.ndarray, *, past: bool) -> np.ndarray:
    """log p of these rows `[len(at)]`, Jacobian of polar coordinates included; past: whether lengths look back."""
    dim = view.direction.shape[1]
    cosine = choice.cosine(view, train, at)
    error, variance = view.lengths(train, at, past=past)
    log_length = -(error**2) / (2 * variance) - np.log(2 * np.pi * variance) / 2 - view.log_length[at]
    log_direction = log_normaliser(dim, choice.concentration) + choice.concentration * cosine
    return log_direction + log_length - (dim - 1) * view.log_length[at] + view.log_scale


class _Regression:
    """Least squares of the direction's coordinates on the past, for any of the feature sets from one pass."""

    def __init__(self, view: PolarView, train: np.ndarray) -> None:
        self._features = view.features
        past = np.concatenate([each[train] for each in view.features.values()], axis=1)
        self._gram, self._cross = past.T @ past, past.T @ view.direction[train]
        self._names = np.repeat(list(view.features), [each.shape[1] for each in view.features.values()])

    def predict(self, names: tuple[str, ...], ridge: float, at: np.ndarray) -> np.ndarray:
        """Predicted mean direction at these rows, `[N, D]` of unit length."""
        chosen = np.flatnonzero(np.isin(self._names, names))
        gram = self._gram[np.ix_(chosen, chosen)]
        gram = gram + ridge * np.trace(gram) / gram.shape[0] * np.eye(gram.shape[0])
        weights = np.linalg.solve(gram, self._cross[chosen])
        past = np.concatenate([each[at] for name, each in self._features.items() if name in names], axis=1)
        mean = past @ weights
        return mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-300)
