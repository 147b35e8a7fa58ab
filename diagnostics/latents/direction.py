"""Where the next latent goes and how far: von Mises-Fisher directions, log-normal lengths, one density on R^d.

The step y_t between successive frames is split into direction u_t and length m_t. Their densities live on the sphere
and on the half line; to compare them with any density on R^d takes the Jacobian of polar coordinates,
log p(y) = log p(u) + log p(m) - (d - 1) log m, without which the numbers are off by hundreds of nats.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..estimates.bootstrap import Interval, ratio
from ..estimates.folds import Folds
from .gaussian_predictor import whitener
from .von_mises_fisher import fit_concentration, log_area, log_normaliser

RIDGES = (1e-4, 1e-2, 1e-1)
_SHORTEST = 1e-9


@dataclass(frozen=True, slots=True)
class DirectionDiagnosis:
    """Held out by group, intervals over groups; nats are per frame."""

    dim: int
    """Directions that carry variance."""
    num_frames: int
    """Steps scored."""
    num_still: int
    """Steps of no length, which have no direction and are left out."""
    concentration: float
    """kappa that the held-out cosines imply; each fold was scored with that of its validation fold."""
    dir_cos: Interval
    """Cosine between the step and its predicted direction."""
    dir_gain: Interval
    """log area of the sphere minus the code length of the direction."""
    logmag_r2: Interval
    """Share of the variance of log m that the length before predicts."""
    gain: Interval
    """Marginal code length of the latent minus that of this model: the same quantity and unit as `pred_gain`."""
    capacity: float
    """Coefficients / 2n nats per frame: about what fitting the direction costs."""


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """Rows of one fold's view: all in coordinates where the training steps are white."""

    direction: np.ndarray
    log_length: np.ndarray
    previous_log_length: np.ndarray
    features: dict[str, np.ndarray]
    marginal: np.ndarray
    """-log p of the frame under the training marginal, up to the constant that is in `log_scale`."""
    log_scale: float


def measure(
    clips: Iterable[tuple[str, str, np.ndarray]],
    folds: Folds,
    *,
    seed: int = 0,
    max_values: int = 50_000_000,
) -> DirectionDiagnosis:
    """Measure latents `[D, T]` of clips (key, group, latents), finite and of one D, at least three frames long each.

    Everything is held in memory, 4 bytes per value; clips beyond `max_values` values in total are not read.
    Raises ValueError where nothing varies or fewer steps are left than dimensions.
    """
    frames, groups, fold, position = _collect(clips, folds, max_values)
    rows = np.flatnonzero(position >= 2)
    moving = np.ones(rows.shape[0], bool)
    for back in (0, 1):
        step = frames[rows - back] - frames[rows - back - 1]
        moving &= np.linalg.norm(step, axis=1) > _SHORTEST
    num_still, rows = int((~moving).sum()), rows[moving]
    if rows.shape[0] <= 3 * frames.shape[1]:
        raise ValueError(
            f"{rows.shape[0]} moving steps of {frames.shape[1]} dimensions: too few, or the latents are constant"
        )
    fold, groups = fold[rows], [groups[i] for i in rows]
    cosine, length_error, length_deviation = (np.empty(rows.shape[0]) for _ in range(3))
    direction_gain, gain = np.empty(rows.shape[0]), np.empty(rows.shape[0])
    dim, coefficients = 0, 0
    for held_out in range(folds.num_folds):
        train, test = fold != held_out, fold == held_out
        validation = fold == (held_out + 1) % folds.num_folds
        steps = _steps(frames, rows, train)
        dim = steps.direction.shape[1]
        best, concentration = _choose(steps, train & ~validation, validation)
        mean = _Regression(steps, train).predict(best, np.flatnonzero(test))
        cosine[test] = (mean * steps.direction[test]).sum(1)
        log_direction = log_normaliser(dim, concentration) + concentration * cosine[test]
        direction_gain[test] = log_direction + log_area(dim)
        error, variance = _lengths(steps, train, test)
        length_error[test] = error**2
        length_deviation[test] = (steps.log_length[test] - steps.log_length[test].mean()) ** 2
        log_length = -(error**2) / (2 * variance) - np.log(2 * np.pi * variance) / 2 - steps.log_length[test]
        # the Jacobian of polar coordinates, then the change from white steps to white frames
        log_density = log_direction + log_length - (dim - 1) * steps.log_length[test] + steps.log_scale
        gain[test] = steps.marginal[test] + log_density
        coefficients = max(coefficients, dim * sum(steps.features[name].shape[1] for name in best[0]))
    ones = np.ones(rows.shape[0])
    explained = ratio(length_error, length_deviation, groups, seed=seed)
    return DirectionDiagnosis(
        dim,
        rows.shape[0],
        num_still,
        fit_concentration(dim, float(cosine.mean())),
        ratio(cosine, ones, groups, seed=seed),
        ratio(direction_gain, ones, groups, seed=seed),
        Interval(1 - explained.value, 1 - explained.high, 1 - explained.low, explained.num_groups),
        ratio(gain, ones, groups, seed=seed),
        coefficients / (2 * rows.shape[0] * (1 - 1 / folds.num_folds)),
    )


def _collect(
    clips: Iterable[tuple[str, str, np.ndarray]], folds: Folds, max_values: int
) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray]:
    """Frames `[F, D]` float32, and per frame its group, fold and position in the clip."""
    parts, groups, fold, position, total = [], [], [], [], 0
    for key, group, latents in clips:
        total += latents.size
        if total > max_values and parts:
            break
        length = latents.shape[1]
        parts.append(latents.T.astype(np.float32))
        groups += [group] * length
        fold.append(np.full(length, folds.fold_of(key, group)))
        position.append(np.arange(length))
    if not parts:
        raise ValueError("directions need at least one clip")
    return np.concatenate(parts), groups, np.concatenate(fold), np.concatenate(position)


def _steps(frames: np.ndarray, rows: np.ndarray, train: np.ndarray) -> _Steps:
    """Frames and steps in coordinates that are white on the training rows."""
    now, before, earlier = (frames[rows - back].astype(np.float64) for back in (0, 1, 2))
    center = now[train].mean(0)
    to_white = whitener(np.cov(now[train].T, bias=True).reshape(now.shape[1], -1))
    now, before, earlier = ((x - center) @ to_white.T for x in (now, before, earlier))
    step, previous = now - before, before - earlier
    white_step = whitener(np.cov(step[train].T, bias=True).reshape(step.shape[1], -1))
    if white_step.shape[0] < to_white.shape[0]:
        raise ValueError("some directions of the latents never move: their steps have no density")
    step, previous = step @ white_step.T, previous @ white_step.T
    length, previous_length = np.linalg.norm(step, axis=1), np.linalg.norm(previous, axis=1)
    # both lengths are positive: still steps were taken out, and whitening keeps what varies
    return _Steps(
        step / length[:, None],
        np.log(length),
        np.log(previous_length),
        {"step": previous / previous_length[:, None], "frame": before, "one": np.ones((rows.shape[0], 1))},
        (now**2).sum(1) / 2 + now.shape[1] * np.log(2 * np.pi) / 2,
        float(np.linalg.slogdet(white_step)[1]),
    )


_FEATURES = (("step", "one"), ("frame", "one"), ("frame", "step", "one"))


class _Regression:
    """Least squares of the direction's coordinates on the past, for any of the feature sets from one pass."""

    def __init__(self, steps: _Steps, train: np.ndarray) -> None:
        self._features = steps.features
        past = np.concatenate([each[train] for each in steps.features.values()], axis=1)
        self._gram, self._cross = past.T @ past, past.T @ steps.direction[train]
        self._names = np.repeat(list(steps.features), [each.shape[1] for each in steps.features.values()])

    def predict(self, option: tuple[tuple[str, ...], float], at: np.ndarray) -> np.ndarray:
        """Predicted mean direction at these rows, `[N, D]` of unit length."""
        names, ridge = option
        chosen = np.flatnonzero(np.isin(self._names, names))
        gram = self._gram[np.ix_(chosen, chosen)]
        gram = gram + ridge * np.trace(gram) / gram.shape[0] * np.eye(gram.shape[0])
        weights = np.linalg.solve(gram, self._cross[chosen])
        past = np.concatenate([each[at] for name, each in self._features.items() if name in names], axis=1)
        mean = past @ weights
        return mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-300)


def _choose(steps: _Steps, train: np.ndarray, validation: np.ndarray) -> tuple[tuple[tuple[str, ...], float], float]:
    """Features and ridge with the best cosine on the validation rows, and kappa there."""
    options = [(names, ridge) for names in _FEATURES for ridge in RIDGES]
    regression, at = _Regression(steps, train), np.flatnonzero(validation)
    scores = [float((regression.predict(o, at) * steps.direction[at]).sum(1).mean()) for o in options]
    best = int(np.argmax(scores))
    return options[best], fit_concentration(steps.direction.shape[1], scores[best])


def _lengths(steps: _Steps, train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, float]:
    """Errors of the predicted log lengths at the test rows, and the training residual's variance."""
    slope, intercept = np.polyfit(steps.previous_log_length[train], steps.log_length[train], 1)
    residual = steps.log_length[train] - slope * steps.previous_log_length[train] - intercept
    error = steps.log_length[test] - slope * steps.previous_log_length[test] - intercept
    return error, float(max(residual.var(), 1e-12))
