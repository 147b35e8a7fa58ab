"""The diagnosis of how latents move: directions and lengths of their steps, and whether directions cluster."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..estimates.bootstrap import Interval
from ..estimates.estimate import Estimate
from ..estimates.folds import Folds, counted, folds_of_clips
from ..estimates.samples import Sample, Samples, start
from . import archetypes, direction
from .gaussian_predictor import whitener
from .predictive_gain import MAX_CAPACITY, MIN_GROUPS


@dataclass(frozen=True, slots=True)
class DirectionsDiagnosis:
    """All held out by group. Every estimate is unresolved together, for the same reason."""

    group_kind: str
    folds: str
    num_frames: int
    dir_cos: Estimate
    """Cosine between a step and its predicted direction."""
    dir_gain: Estimate
    """nat/frame that prediction saves on the direction, over a uniform one."""
    logmag_r2: Estimate
    """Share of the variance of the log length of steps that the step before predicts."""
    gain: Estimate
    """nat/frame of the whole model over the latent's marginal: the same quantity as `pred_gain` of a VAR."""
    concentration: float
    capacity_note: float
    """nat/frame that fitting the direction is expected to cost."""
    arche_excess: Estimate
    """Cosine to the nearest archetype beyond that of structureless directions."""
    arche_tightness: float
    arche_tightness_null: float
    arche_next_gain: Estimate
    """bit/frame that the archetype before saves on the next."""

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
    elif steps.capacity > MAX_CAPACITY * max(steps.dir_gain.value, 0.05 * MAX_CAPACITY * steps.dim):
        reason = f"{steps.num_frames} steps of {steps.dim} dimensions cost {steps.capacity:.2g} nat in fitting"
        remedy = f"{steps.capacity / MAX_CAPACITY / max(steps.dir_gain.value, 1e-3):.2g} times as much audio"

    def estimate(interval: Interval, unit: str) -> Estimate:
        if reason:
            return Estimate.unresolved(reason, remedy, unit, interval.value)
        return Estimate.resolved(interval.value, interval.low, interval.high, unit)

    return DirectionsDiagnosis(
        group_kind,
        folds.describe(),
        steps.num_frames,
        estimate(steps.dir_cos, "cosine"),
        estimate(steps.dir_gain, "nat/frame"),
        estimate(steps.logmag_r2, "of the variance"),
        estimate(steps.gain, "nat/frame"),
        steps.concentration,
        steps.capacity,
        estimate(clusters.excess, "cosine"),
        clusters.tightness.value,
        clusters.tightness_gaussian,
        estimate(clusters.next_gain, "bit/frame"),
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
    steps = [np.diff(latents.astype(np.float64), axis=1).T for _, _, latents in clips]
    keep = np.searchsorted(np.cumsum([len(each) for each in steps]), max_frames) + 1
    steps, clips = steps[:keep], clips[:keep]
    white = np.concatenate(steps)
    white = (white - white.mean(0)) @ whitener(np.cov(white.T).reshape(white.shape[1], -1)).T
    lengths = np.linalg.norm(white, axis=1)
    moving = lengths > 0
    number = np.repeat(np.arange(len(clips)), [len(each) for each in steps])[moving]
    return archetypes.measure(
        white[moving] / lengths[moving, None],
        [clips[i][1] for i in number],
        number,
        np.array([folds.fold_of(key, group) for key, group, _ in clips])[number],
        num_archetypes=num_archetypes,
        seed=seed,
    )
