"""The diagnosis of how latents move: directions and lengths of their steps, and whether directions cluster."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..estimates.estimate import Estimate
from ..estimates.folds import Folds, counted, folds_of_clips
from ..estimates.interval import Interval
from ..estimates.samples import Sample, Samples, start
from . import archetypes, direction
from .gaussian_predictor import whitener
from .predictive_gain import MIN_GROUPS

ROWS_PER_DIMENSION = 20


@dataclass(frozen=True, slots=True)
class DirectionsDiagnosis:
    """All held out by group. Every estimate is unresolved together, for the same reason.

    `_null`: the same with the frames of each clip shuffled in time. `_excess`: the difference, the null's own sampling
    error in its interval. Only the excess and `gain` say something about time.
    """

    group_kind: str
    folds: str
    num_frames: int
    dir_cos: Estimate
    """Cosine between a step and its predicted direction; 1/sqrt(2) for independent Gaussian frames."""
    dir_cos_null: float
    dir_cos_excess: Estimate
    dir_gain: Estimate
    """nat/frame that prediction saves on the direction, over a uniform one."""
    dir_gain_null: float
    dir_gain_excess: Estimate
    logmag_r2: Estimate
    """Share of the variance of the log length of steps that the step before predicts."""
    logmag_r2_null: float
    logmag_r2_excess: Estimate
    gain: Estimate
    """nat/frame of the whole model over the marginal of the same family; about 0 where frames are independent."""
    concentration: float
    finite_sample_bias: float
    """nat/frame that fitting the direction is expected to cost `dir_gain`; in its interval, cancels in the excess."""
    arche_tightness: float
    arche_tightness_null: float
    arche_excess: Estimate
    """Cosine to the nearest archetype beyond the null's."""
    arche_next_gain: Estimate
    """bit/frame that the archetype before saves on the next."""
    arche_next_gain_null: float
    arche_next_gain_excess: Estimate

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        values = asdict(self)
        for name in values:
            value = getattr(self, name)
            if isinstance(value, Estimate):
                values[name] = value.to_dict()
        return {"kind": "directions", **values}


def diagnose_directions(
    samples: Samples,
    *,
    group_kind: str,
    seed: int = 0,
    max_values: int = 20_000_000,
    num_archetypes: int = 64,
    max_archetype_frames: int = 20_000,
) -> DirectionsDiagnosis | None:
    """Diagnose the steps of latents `[D, T]`; None where there is nothing to measure (constant, still, too few).

    One pass; clips are kept in memory until they hold `max_values` values, so give clips in an order that mixes
    speakers, or a sample of them (`folds.sample_clips`). Clips that are not finite or of another dimension are left
    out.
    """
    clips = _usable(samples, max_values)
    index = [(key, group, latents.shape[1]) for key, group, latents in clips]
    folds = folds_of_clips(index, group_kind=group_kind, seed=seed)
    if folds.num_folds < 3:
        return None
    try:
        steps = direction.measure(clips, folds, seed=seed, max_values=max_values)
        clusters = _archetypes(clips, folds, num_archetypes, max_archetype_frames, seed)
    except (ValueError, np.linalg.LinAlgError):
        return None
    reason, remedy = "", ""
    if steps.dir_gain.num_groups < MIN_GROUPS:
        reason = f"{counted(steps.dir_gain.num_groups, group_kind)} where an interval needs {MIN_GROUPS}"
        remedy = f"audio of at least {counted(MIN_GROUPS, group_kind)}"
    elif steps.num_frames < ROWS_PER_DIMENSION * steps.dim:
        reason = f"{steps.num_frames} steps of {steps.dim} dimensions where {ROWS_PER_DIMENSION * steps.dim} are needed"
        remedy = f"{ROWS_PER_DIMENSION * steps.dim / steps.num_frames:.2g} times as much audio"

    def estimate(interval: Interval, unit: str) -> Estimate:
        if reason:
            return Estimate.unresolved(reason, remedy, unit, interval.value)
        return Estimate.resolved(interval.value, interval.low, interval.high, unit)

    # what fitting costs makes the gain too low, by about as much
    dir_gain = steps.dir_gain.widened(steps.finite_sample_bias)
    return DirectionsDiagnosis(
        group_kind,
        folds.describe(),
        steps.num_frames,
        estimate(steps.dir_cos, "cosine"),
        steps.dir_cos_null,
        estimate(steps.dir_cos_excess, "cosine"),
        estimate(dir_gain, "nat/frame"),
        steps.dir_gain_null,
        estimate(steps.dir_gain_excess, "nat/frame"),
        estimate(steps.logmag_r2, "of the variance"),
        steps.logmag_r2_null,
        estimate(steps.logmag_r2_excess, "of the variance"),
        estimate(steps.gain, "nat/frame"),
        steps.concentration,
        steps.finite_sample_bias,
        clusters.tightness.value,
        clusters.tightness_null,
        estimate(clusters.excess, "cosine"),
        estimate(clusters.next_gain, "bit/frame"),
        clusters.next_gain_null,
        estimate(clusters.next_gain_excess, "bit/frame"),
    )


def _usable(samples: Samples, max_values: int) -> list[Sample]:
    clips: list[Sample] = []
    total = 0
    for key, group, latents in start(samples):
        same = not clips or latents.shape[0] == clips[0][2].shape[0]
        if latents.ndim == 2 and same and latents.shape[1] >= 3 and np.isfinite(latents).all():
            total += latents.size
            if total > max_values and clips:
                break
            clips.append((key, group, latents))
    return clips


def _archetypes(
    clips: list[Sample], folds: Folds, num_archetypes: int, max_frames: int, seed: int
) -> archetypes.ArchetypesDiagnosis:
    keep = np.searchsorted(np.cumsum([latents.shape[1] - 1 for _, _, latents in clips]), max_frames) + 1
    clips, rng = clips[:keep], np.random.default_rng(seed)
    frames = [latents.astype(np.float64).T for _, _, latents in clips]
    found, null = (_white_directions(each) for each in (frames, [rng.permutation(clip) for clip in frames]))
    groups = [group for _, group, _ in clips]
    fold = np.array([folds.fold_of(key, group) for key, group, _ in clips])
    return archetypes.measure(found, null, groups, fold, num_archetypes=num_archetypes, seed=seed)


def _white_directions(frames: list[np.ndarray]) -> archetypes.Directions:
    """Directions of the steps of clips `[T, D]`, in coordinates where steps are white."""
    steps = [np.diff(each, axis=0) for each in frames]
    white = np.concatenate(steps)
    white = (white - white.mean(0)) @ whitener(np.cov(white.T).reshape(white.shape[1], -1)).T
    lengths = np.linalg.norm(white, axis=1)
    moving = lengths > 0
    clip = np.repeat(np.arange(len(steps)), [len(each) for each in steps])
    return archetypes.Directions(white[moving] / lengths[moving, None], clip[moving])
