"""The diagnosis of how latents move, as the command runs it on a sample of the clips."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..estimates.estimate import Estimate
from ..estimates.folds import counted
from ..estimates.interval import Interval
from ..estimates.jobs import say_nothing
from ..latents.predictive_gain import MIN_GROUPS
from .acoustic_change import CHANGES, acoustic_changes
from .archetype_curve import SIZES, STEPS_PER_ARCHETYPE, Clustered, Quarters, Tightness, tightness
from .clips import Clips
from .rollout import MEASURES, Ahead, affordable, rollout
from .steps import Steps

Sound = Callable[[Collection[str]], Mapping[str, np.ndarray] | None]
"""`acoustic_change.ROWS` of the clips with these keys at the rate of the latents; None where nothing has them."""
NO_SOUND = "no features representation at a multiple of this frame rate"


@dataclass(frozen=True, slots=True)
class ArchetypeCurve:
    """Of the sizes that the sample allows; empty where there are none, with the reason."""

    sizes: tuple[Tightness, ...]
    changes: Mapping[str, Interval]
    """Correlations, by what of the sound changes; for the fewest archetypes. Empty without sound."""
    reason: str
    """Why no size was measured; "" where one was."""


@dataclass(frozen=True, slots=True)
class MotionDiagnosis:
    """Of a sample of clips, all held out by group."""

    group_kind: str
    num_clips: int
    num_groups: int
    num_frames: int
    frame_rate: float
    archetypes: ArchetypeCurve
    order: int
    """Past frames that the prediction of `ahead` is made from."""
    ahead: tuple[Ahead, ...]
    """Several numbers of steps; empty where that cannot be measured."""
    not_ahead: str
    """Why not; "" where it was."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "num_clips": self.num_clips,
            "num_groups": self.num_groups,
            "num_frames": self.num_frames,
            "archetypes": self._archetypes(),
            "rollout": {"reason": self.not_ahead, "order": self.order, "steps": [self._ahead(a) for a in self.ahead]},
        }

    def _ahead(self, found: Ahead) -> dict[str, Any]:
        measures: dict[str, Any] = {"steps": found.steps, "ms": 1000 * found.steps / self.frame_rate}
        for name in MEASURES:
            unit = "ratio" if name == "length_ratio" else "cosine"
            measures[name] = self._estimate(found.value[name], unit)
            measures[f"{name}_shuffled"] = found.shuffled[name]
            measures[f"{name}_excess"] = self._estimate(found.excess[name], unit)
        return measures

    def _archetypes(self) -> dict[str, Any]:
        found, single = self.archetypes, "every speaker has a single clip"
        return {
            "reason": found.reason,
            "sizes": [
                {
                    "num_archetypes": size.num_archetypes,
                    "tightness": self._estimate(size.tightness, "cosine"),
                    "tightness_shuffled": size.shuffled,
                    "excess": self._estimate(size.excess, "cosine"),
                    "tightness_uniform": size.uniform,
                    "uniform_excess": self._estimate(size.uniform_excess, "cosine"),
                    "transfer": self._estimate(size.transfer, "cosine", single),
                }
                for size in found.sizes
            ],
            "change_correlation": {
                name: self._estimate(found.changes[name], "correlation", "it never changes")
                if name in found.changes
                else Estimate.unresolved(NO_SOUND, "a features representation", "correlation").to_dict()
                for name in CHANGES
            },
        }

    def _estimate(self, interval: Interval, unit: str, otherwise: str = "nothing was measured") -> dict[str, Any]:
        """otherwise: the reason where no group has anything."""
        remedy = f"audio of at least {counted(MIN_GROUPS, self.group_kind)}"
        if not interval.num_groups:
            return Estimate.unresolved(otherwise, remedy, unit).to_dict()
        if interval.num_groups < MIN_GROUPS:
            reason = f"{counted(interval.num_groups, self.group_kind)} where an interval needs {MIN_GROUPS}"
            return Estimate.unresolved(reason, remedy, unit, interval.value).to_dict()
        return Estimate.resolved(interval.value, interval.low, interval.high, unit).to_dict()


def diagnose_motion(
    kept: Mapping[str, tuple[str, np.ndarray]],
    frame_rate: float,
    *,
    group_kind: str,
    order: int = 1,
    seed: int = 0,
    sound: Sound = lambda _: None,
    say: Callable[[str], None] = say_nothing,
) -> MotionDiagnosis:
    """Diagnose the clips of `kept`, clip to its group and latents `[D, T]`, as `clips.beginnings` chooses them.

    order: most past frames of the linear prediction; that of `LatentsDiagnosis`. say: told which part is under way.
    """
    clips = Clips.of(kept, group_kind=group_kind, seed=seed)
    archetypes = _none("no clips that could be used")
    ahead, not_ahead, order = (), archetypes.reason, max(order, 1)
    if clips.keys:
        order = affordable(clips, order)
        say("latents: archetypes")
        archetypes = _archetypes(clips, clips.shuffled(seed), seed, sound)
        say("latents: predictions several frames ahead")
        try:
            ahead, not_ahead = rollout(clips, order, seed=seed), ""
        except (ValueError, np.linalg.LinAlgError) as error:
            not_ahead = str(error)
    groups = len(set(clips.groups))
    return MotionDiagnosis(
        group_kind, len(clips.keys), groups, clips.num_frames, frame_rate, archetypes, order, ahead, not_ahead
    )


def _archetypes(clips: Clips, shuffled: Clips, seed: int, sound: Sound) -> ArchetypeCurve:
    try:
        every, mixed = Steps.of(clips), Steps.of(shuffled).apart()
    except (ValueError, np.linalg.LinAlgError) as error:
        return _none(str(error))
    steps, quarters = every.apart(), Quarters.of(clips)
    curve, changes = [], {}
    for size in quarters.sizes(steps, mixed):
        found, null, uniform = (
            Clustered.of(each, quarters, size, seed) for each in (steps, mixed, steps.uniform(seed))
        )
        curve.append(tightness(found, null, uniform, quarters, clips.groups))
        rows = sound(clips.keys) if len(curve) == 1 else None
        if rows is not None:
            changes = acoustic_changes(every, found.label(every, quarters), clips.keys, clips.groups, rows)
    few = f"a quarter of the sample has fewer than {STEPS_PER_ARCHETYPE * SIZES[0]} steps"
    return ArchetypeCurve(tuple(curve), changes, "" if curve else few)


def _none(reason: str) -> ArchetypeCurve:
    return ArchetypeCurve((), {}, reason)
