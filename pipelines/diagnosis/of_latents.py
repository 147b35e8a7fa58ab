"""The diagnosis of a latents representation of a version."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from ...diagnostics.estimates.folds import held_clips
from ...diagnostics.estimates.samples import Kept
from ...diagnostics.motion.acoustic_change import ROWS
from ...diagnostics.motion.clips import Clips, beginnings, training_clips
from ...diagnostics.summary import LatentsDiagnosis, diagnose_directions, diagnose_latents, diagnose_motion
from .asked import Asked, forget
from .clip_sound import clip_sound
from .grouped import GroupedClips
from .stored_clips import StoredClips


def latents_of(clips: GroupedClips, asked: Asked) -> tuple[LatentsDiagnosis, dict[str, Any]]:
    """What the past says about frames; and, of samples of clips that are taken on the way, how they move and what a
    network says beyond a linear prediction."""
    version, spec, kind, seed, begin = clips.version, clips.spec, clips.kind, asked.seed, asked.begin

    def sound(wanted: Collection[str]) -> dict[str, np.ndarray] | None:
        return clip_sound(version, spec, ROWS, set(wanted))

    index = clips.index()
    moving = beginnings(index, spec.rows, seed=seed)
    training = training_clips(index, spec.rows, seed=seed) if asked.budget_s is not None else {}
    fitted = held_clips(index, asked.max_frames, group_kind=kind, seed=seed)
    kept = Kept(clips.samples(fitted | set(moving) | set(training)), moving)
    more = Kept(kept, training)
    jobs = asked.jobs(version, spec.fingerprint, spec.name, seed, asked.max_frames)
    latents = diagnose_latents(
        more,
        spec.frame_rate,
        group_kind=kind,
        seed=seed,
        max_frames=asked.max_frames,
        index=index,
        further=StoredClips.of(clips),
        jobs=jobs,
        say=begin,
    )
    forget(jobs)
    order = max(latents.order, 1)
    motion = diagnose_motion(
        kept.clips, spec.frame_rate, group_kind=kind, order=order, seed=seed, sound=sound, say=begin
    )
    mixture = None
    if asked.budget_s is not None:
        # torch takes seconds to import, and is not needed otherwise
        from ...diagnostics.neural.mixture_gain import mixture_gain

        taken = Clips.of(more.clips, group_kind=kind, seed=seed)
        mixture = mixture_gain(taken, order, asked.budget_s, group_kind=kind, seed=seed, progress=begin).to_dict()
    steps = None
    if asked.directions:
        begin("latents: steps as direction and length")
        each = [(key, group, frames) for key, (group, frames) in kept.clips.items()]
        found = diagnose_directions(each, group_kind=kind, seed=seed)
        # archetypes are those of `motion`
        steps = found and {name: value for name, value in found.to_dict().items() if not name.startswith("arche_")}
    return latents, {"motion": motion.to_dict(), "mixture_density": mixture, "directions": steps}
