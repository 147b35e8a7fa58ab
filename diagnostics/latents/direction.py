"""Where the next latent goes and how far: von Mises-Fisher directions, log-normal lengths, one density on R^d.

The step y_t between successive frames is split into direction u_t and length m_t. Their densities live on the sphere
and on the half line; to compare them with any density on R^d takes the Jacobian of polar coordinates,
log p(y) = log p(u) + log p(m) - (d - 1) log m, without which the numbers are off by hundreds of nats.

A step is predictable even where frames are independent: from z_{t-1} alone it points back to the mean, with a cosine of
1/sqrt(2) for Gaussian frames. So direction and length are measured beside the same clips with their frames shuffled in
time, and what counts is the excess over that. The gain is over the marginal of the same family: the frame itself as a
direction and a log-normal length around the mean. Over a Gaussian marginal it would count whatever is not Gaussian as
predicted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..estimates.folds import Folds
from ..estimates.interval import Interval, paired_difference, ratio
from .gaussian_predictor import whitener
from .polar import Choice, PolarView, choose, log_density
from .von_mises_fisher import fit_concentration, log_area, log_normaliser

_SHORTEST = 1e-9
_ROWS_PER_DIMENSION = 3
_NULLS = 3


@dataclass(frozen=True, slots=True)
class DirectionDiagnosis:
    """Held out by group, intervals over groups; nats are per frame. `_null`: the frames of each clip shuffled."""

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
    dir_cos_null: float
    dir_cos_excess: Interval
    dir_gain: Interval
    """log area of the sphere minus the code length of the direction."""
    dir_gain_null: float
    dir_gain_excess: Interval
    logmag_r2: Interval
    """Share of the variance of log m that the length before predicts."""
    logmag_r2_null: float
    logmag_r2_excess: Interval
    gain: Interval
    """nat/frame that the past saves over the marginal of the same family; about 0 where frames are independent."""
    finite_sample_bias: float
    """Coefficients / 2n nats per frame: about what fitting the direction costs `dir_gain`. Cancels in the excess."""


@dataclass(frozen=True, slots=True, eq=False)
class _Frames:
    """All frames `[F, D]` float32 in the order of their clips, and what each belongs to."""

    values: np.ndarray
    clip: np.ndarray
    position: np.ndarray
    fold_of_clip: np.ndarray
    groups: list[str]
    """Of each clip."""


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """Sums per clip, `[N]` each."""

    dim: int
    count: np.ndarray
    cosine: np.ndarray
    direction_gain: np.ndarray
    length_error: np.ndarray
    length_deviation: np.ndarray
    gain: np.ndarray
    num_still: int
    coefficients: int


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
    frames = _collect(clips, folds, max_values)
    found = _score(frames, folds.num_folds)
    nulls = [_score(shuffled(frames, seed + i), folds.num_folds) for i in range(_NULLS)]

    def excess(tops: str, bottoms: str = "count", sign: float = 1.0) -> tuple[float, Interval]:
        """Mean of the nulls, and what is above it; the nulls' scatter is that of fitting, which clips share."""
        top, bottom = (np.sum([getattr(null, name) for null in nulls], axis=0) for name in (tops, bottoms))
        each = [getattr(null, tops).sum() / getattr(null, bottoms).sum() for null in nulls]
        pairs = (getattr(found, tops) * sign, top * sign), (getattr(found, bottoms), bottom)
        scatter = 2 * float(np.std(each, ddof=1)) * np.sqrt(1 + 1 / _NULLS)
        return float(top.sum() / bottom.sum()), paired_difference(*pairs, frames.groups).widened(scatter)

    explained = ratio(found.length_error, found.length_deviation, frames.groups)
    left, more = excess("length_error", "length_deviation", -1.0)
    steps = int(found.count.sum())
    return DirectionDiagnosis(
        found.dim,
        steps,
        found.num_still,
        fit_concentration(found.dim, float(found.cosine.sum() / steps)),
        ratio(found.cosine, found.count, frames.groups),
        *excess("cosine"),
        ratio(found.direction_gain, found.count, frames.groups),
        *excess("direction_gain"),
        Interval(1 - explained.value, 1 - explained.high, 1 - explained.low, explained.num_groups),
        1 - left,
        more,
        ratio(found.gain, found.count, frames.groups),
        found.coefficients / (2 * steps * (1 - 1 / folds.num_folds)),
    )


def shuffled(frames: _Frames, seed: int) -> _Frames:
    """The frames of each clip in random order."""
    order = np.lexsort((np.random.default_rng(seed).random(frames.clip.shape[0]), frames.clip))
    return _Frames(frames.values[order], frames.clip, frames.position, frames.fold_of_clip, frames.groups)


def _score(frames: _Frames, num_folds: int) -> _Scores:
    values = frames.values
    rows = np.flatnonzero(frames.position >= 2)
    moving = np.ones(rows.shape[0], bool)
    for back in (0, 1):
        moving &= np.linalg.norm(values[rows - back] - values[rows - back - 1], axis=1) > _SHORTEST
    num_still, rows = int((~moving).sum()), rows[moving]
    if rows.shape[0] <= _ROWS_PER_DIMENSION * values.shape[1]:
        raise ValueError(
            f"{rows.shape[0]} moving steps of {values.shape[1]} dimensions: too few, or the latents are constant"
        )
    fold = frames.fold_of_clip[frames.clip[rows]]
    cosine, direction_gain, error, deviation, gain = (np.empty(rows.shape[0]) for _ in range(5))
    dim, coefficients = 0, 0
    for held_out in range(num_folds):
        train, test = fold != held_out, np.flatnonzero(fold == held_out)
        validation = fold == (held_out + 1) % num_folds
        step, frame = _views(values, rows, train)
        dim = step.direction.shape[1]
        chosen = choose(step, train, validation)
        cosine[test], concentration = chosen.cosine(step, train, test), chosen.concentration
        direction_gain[test] = log_normaliser(dim, concentration) + concentration * cosine[test] + log_area(dim)
        residual = step.lengths(train, test, past=True)[0]
        error[test] = residual**2
        deviation[test] = (step.log_length[test] - step.log_length[test].mean()) ** 2
        gain[test] = _gain(step, frame, chosen, train, validation, test)
        coefficients = max(coefficients, dim * sum(step.features[name].shape[1] for name in chosen.names))
    clip, size = frames.clip[rows], len(frames.groups)

    def sums(each: np.ndarray) -> np.ndarray:
        return np.bincount(clip, each, size)

    return _Scores(
        dim,
        np.bincount(clip, minlength=size).astype(np.float64),
        sums(cosine),
        sums(direction_gain),
        sums(error),
        sums(deviation),
        sums(gain),
        num_still,
        coefficients,
    )


def _gain(
    step: PolarView, frame: PolarView, of_step: Choice, train: np.ndarray, validation: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """log p(z | past) - log p(z) at the test rows, by what predicts the validation rows best.

    The candidates are the step's density, the frame's own given the past, and the marginal itself, which gains nothing.
    """
    fitting, check = train & ~validation, np.flatnonzero(validation)
    conditional, marginal = choose(frame, train, validation), Choice.blind(frame, train, validation)
    candidates = ((step, of_step, True), (frame, conditional, True), (frame, marginal, False))
    scores = [log_density(view, choice, fitting, check, past=past).mean() for view, choice, past in candidates]
    view, choice, past = candidates[int(np.argmax(scores))]
    base = log_density(frame, marginal, train, test, past=False)
    return log_density(view, choice, train, test, past=past) - base


def _collect(clips: Iterable[tuple[str, str, np.ndarray]], folds: Folds, max_values: int) -> _Frames:
    parts, groups, fold, total = [], [], [], 0
    for key, group, latents in clips:
        total += latents.size
        if total > max_values and parts:
            break
        parts.append(latents.T.astype(np.float32))
        groups.append(group)
        fold.append(folds.fold_of(key, group))
    if not parts:
        raise ValueError("directions need at least one clip")
    lengths = np.array([part.shape[0] for part in parts])
    clip = np.repeat(np.arange(len(parts)), lengths)
    position = np.arange(clip.shape[0]) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return _Frames(np.concatenate(parts), clip, position, np.array(fold), groups)


def _views(values: np.ndarray, rows: np.ndarray, train: np.ndarray) -> tuple[PolarView, PolarView]:
    """Frames as steps and as themselves; densities are in coordinates where training frames are white."""
    now, before, earlier = (values[rows - back].astype(np.float64) for back in (0, 1, 2))
    center = now[train].mean(0)
    to_white = whitener(np.cov(now[train].T, bias=True).reshape(now.shape[1], -1))
    now, before, earlier = ((x - center) @ to_white.T for x in (now, before, earlier))
    step, previous = now - before, before - earlier
    white_step = whitener(np.cov(step[train].T, bias=True).reshape(step.shape[1], -1))
    if white_step.shape[0] < to_white.shape[0]:
        raise ValueError("some directions of the latents never move: their steps have no density")
    scale = float(np.linalg.slogdet(white_step)[1])
    step, previous = step @ white_step.T, previous @ white_step.T
    by_step = PolarView.of(step, previous, {"step": _unit(previous), "frame": before}, scale)
    by_frame = PolarView.of(now, before, {"step": _unit(previous), "frame": before}, 0.0)
    return by_step, by_frame


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)
