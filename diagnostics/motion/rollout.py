"""What a linear prediction says of the frame K steps ahead: where it will be, and which way and how far it has moved.

A VAR(p) is fitted on other speakers and its predictions are fed back, K times. In whitened coordinates, from the last
known frame z_t and the prediction z'_{t+K}:

- frame cosine: of z'_{t+K} and z_{t+K} about the mean, the anomaly correlation of weather forecasts;
- direction cosine: of the displacements z'_{t+K} - z_t and z_{t+K} - z_t;
- length ratio: sum of |z'_{t+K} - z_t| over sum of |z_{t+K} - z_t|.

A displacement looks predictable where nothing is: it leads from z_t back to the mean, with a cosine and a ratio of
1/sqrt(2) for independent frames. A process that stays near z_t for long has *less* of both. So each is measured again
on the clips with their frames shuffled in time, and the excess may have either sign; that of the frame cosine is above
0 where time says something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..estimates.interval import Interval, paired_difference, ratio
from ..latents.gaussian_predictor import GaussianPredictor
from ..latents.lag_moments import LagMoments, total
from ..latents.predictive_gain import RIDGE
from .clips import Clips

STEPS = (1, 2, 4, 8, 16)
MEASURES = ("frame_cos", "dir_cos", "length_ratio")
ROWS_PER_COEFFICIENT = 10
"""A prediction that is fed back needs more than one that is used once: the past is shortened to have as many."""
_NULLS = 3
_SHORTEST = 1e-6
"""In whitened coordinates: a shorter displacement has no direction."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """K steps ahead, held out by group: by measure, the value, that of shuffled frames, and the excess over it."""

    steps: int
    value: dict[str, Interval]
    shuffled: dict[str, float]
    excess: dict[str, Interval]


def affordable(clips: Clips, order: int) -> int:
    """At most `order` past frames: as many as have `ROWS_PER_COEFFICIENT` training frames each, at least one."""
    training = clips.num_frames * (1 - 1 / max(clips.num_folds, 2))
    return max(1, min(order, int(training / (ROWS_PER_COEFFICIENT * max(clips.dim, 1)))))


def rollout(clips: Clips, order: int, *, seed: int = 0) -> tuple[Ahead, ...]:
    """One for each of `STEPS`, all over the same frames: those whose whole past and future lies within their clip.

    Raises ValueError with what is missing where frames are too few.
    """
    found = _score(clips, order)
    nulls = [_score(clips.shuffled(seed + turn), order) for turn in range(_NULLS)]
    return tuple(_ahead(i, found, nulls, clips.groups) for i in range(len(STEPS)))


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Over the frames of each clip, `[len(STEPS), C]` each."""

    top: dict[str, np.ndarray]
    bottom: dict[str, np.ndarray]


def _ahead(i: int, found: _Sums, nulls: Sequence[_Sums], groups: list[str]) -> Ahead:
    value, shuffled, excess = {}, {}, {}
    for name in MEASURES:
        top, bottom = (np.mean([getattr(null, part)[name][i] for null in nulls], axis=0) for part in ("top", "bottom"))
        pairs = (found.top[name][i], top), (found.bottom[name][i], bottom)
        # what the clips of all speakers share: the null's predictor, fitted anew on every order
        each = [null.top[name][i].sum() / null.bottom[name][i].sum() for null in nulls]
        scatter = 2 * float(np.std(each, ddof=1)) * np.sqrt(1 + 1 / _NULLS)
        value[name] = ratio(found.top[name][i], found.bottom[name][i], groups)
        shuffled[name] = float(top.sum() / bottom.sum())
        excess[name] = paired_difference(*pairs, groups).widened(scatter)
    return Ahead(STEPS[i], value, shuffled, excess)


def _score(clips: Clips, order: int) -> _Sums:
    lags = tuple(range(1, order + 1))
    moments = [LagMoments.empty(clips.dim, lags) for _ in range(clips.num_folds)]
    for frames, fold in zip(clips.frames, clips.fold, strict=True):
        moments[fold].add(frames.T)
    whole = total(moments)
    predictors = [_fit(whole - held_out) for held_out in moments]
    matrices = [predictor.ahead(STEPS[-1]) for predictor in predictors]
    shape = len(STEPS), len(clips.keys)
    sums = _Sums(*({name: np.zeros(shape) for name in MEASURES} for _ in range(2)))
    for clip, (frames, fold) in enumerate(zip(clips.frames, clips.fold, strict=True)):
        white = predictors[fold].white(frames.T.astype(np.float64))
        for i, steps in enumerate(STEPS):
            _add(sums, i, clip, white, matrices[fold][steps - 1], order)
    if not all(bottom.any() for bottom in sums.bottom.values()):
        raise ValueError(f"no clip has {order + STEPS[-1]} frames")
    return sums


def _fit(moments: LagMoments) -> GaussianPredictor:
    needed = ROWS_PER_COEFFICIENT * moments.dim * len(moments.lags)
    if moments.num_rows < needed:
        raise ValueError(f"{moments.num_rows} frames of other speakers where {needed} are needed")
    return GaussianPredictor(moments, RIDGE)


def _add(sums: _Sums, i: int, clip: int, white: np.ndarray, matrix: np.ndarray, order: int) -> None:
    """Score the frames `STEPS[i]` after each that has its past and the longest future; white: `[R, T]`."""
    count = white.shape[1] - order - STEPS[-1] + 1
    if count <= 0:
        return
    past = np.concatenate([white[:, order - 1 - lag : order - 1 - lag + count] for lag in range(order)])
    now, begin = white[:, order - 1 : order - 1 + count], order - 1 + STEPS[i]
    true, predicted = white[:, begin : begin + count], matrix @ past
    moved, expected = true - now, predicted - now
    lengths = np.linalg.norm(moved, axis=0)
    moving = lengths > _SHORTEST
    sums.top["frame_cos"][i, clip] = _cosine(true, predicted).sum()
    sums.top["dir_cos"][i, clip] = _cosine(moved[:, moving], expected[:, moving]).sum()
    sums.top["length_ratio"][i, clip] = np.linalg.norm(expected, axis=0).sum()
    sums.bottom["frame_cos"][i, clip] = count
    sums.bottom["dir_cos"][i, clip] = moving.sum()
    sums.bottom["length_ratio"][i, clip] = lengths.sum()


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of columns; 0 where one has no length."""
    size = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    return (a * b).sum(0) / np.maximum(size, 1e-30)
