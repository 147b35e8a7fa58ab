"""Archetypes and what the sound does meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from auricle.diagnostics.estimates.interval import Interval
from auricle.diagnostics.known.walks import ArchetypeWalk
from auricle.diagnostics.motion.acoustic_change import CHANGES, acoustic_changes
from auricle.diagnostics.motion.clips import Clips
from auricle.diagnostics.motion.steps import Steps

SEEDS = range(5)
WALK = ArchetypeWalk(8, switch=0.1, cosine=0.95)


def changes(seed: int, shuffle: bool = False) -> dict[str, Interval]:
    """F0 and level are toggled by changes of archetype; the flux is noise."""
    rng = np.random.default_rng(seed)
    kept, sound, states = {}, {}, []
    for i in range(48):
        latents, state = WALK.sample(120, rng)
        on = WALK.toggled(state)
        kept[f"{i:02}"] = f"s{i % 8}", latents
        sound[f"{i:02}"] = np.stack((np.where(on, 200.0, 100.0), -20.0 - 10 * on, rng.random(120)))
        states.append(state)
    clips = Clips.of(kept, group_kind="speaker")
    steps = Steps.of(clips.shuffled(seed) if shuffle else clips)
    # what a perfect clustering would say, and any clustering of what is in random order
    label = np.abs(steps.direction).argmax(1) if shuffle else np.concatenate(states)
    return acoustic_changes(steps, label, clips.keys, clips.groups, sound)


def test_a_sound_that_changes_with_the_archetype_correlates_as_much_as_it_must() -> None:
    found = [changes(seed) for seed in SEEDS]
    for name in ("f0", "energy"):
        assert np.mean([each[name].value for each in found]) == pytest.approx(WALK.toggle_correlation, abs=0.02)
        assert sum(each[name].low <= WALK.toggle_correlation <= each[name].high for each in found) >= 4
    assert sum(each["flux"].low <= 0 <= each["flux"].high for each in found) >= 4


def test_frames_in_random_order_do_not_change_with_the_sound() -> None:
    found = [changes(seed, shuffle=True) for seed in range(20)]
    for name in CHANGES:
        assert sum(each[name].low <= 0 <= each[name].high for each in found) >= 17, name


def test_pitch_counts_where_it_is_voiced_and_silence_is_all_the_same() -> None:
    latents, state = WALK.sample(200, np.random.default_rng(0))
    kept = {"clip": ("s0", latents), "other": ("s1", latents)}
    clips = Clips.of(kept, group_kind="speaker")
    steps = Steps.of(clips)
    quiet = np.stack((np.zeros(200), np.linspace(-120, -90, 200), np.zeros(200)))
    quiet[1, 0] = 0.0
    label = np.concatenate((state, state))
    found = acoustic_changes(steps, label, clips.keys, clips.groups, {"clip": quiet, "other": quiet})
    assert found["f0"].num_groups == 0
    assert abs(found["energy"].value) < 0.2, "only the first frame was heard"
    assert acoustic_changes(steps, label, clips.keys, clips.groups, {})["flux"].num_groups == 0
