"""Archetypes: nothing where there is nothing, and what was planted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from auricle.diagnostics.known.walks import ArchetypeWalk
from auricle.diagnostics.motion.archetype_curve import Clustered, Quarters, Tightness, tightness
from auricle.diagnostics.motion.clips import Clips
from auricle.diagnostics.motion.steps import Steps

SPEAKERS, CLIPS, FRAMES, DIM = 12, 5, 100, 16
SEEDS = range(5)
WALK = ArchetypeWalk(DIM, switch=0.1, cosine=0.9)


def measured(make: Callable[[np.random.Generator, int], np.ndarray], seed: int, size: int = 32) -> Tightness:
    """make: latents `[D, T]` of a clip, of a generator and the speaker's number."""
    rng = np.random.default_rng(seed)
    kept = {f"{s:02}-{c}": (f"s{s:02}", make(rng, s)) for s in range(SPEAKERS) for c in range(CLIPS)}
    clips = Clips.of(kept, group_kind="speaker", seed=seed)
    steps, mixed = (Steps.of(each).apart() for each in (clips, clips.shuffled(seed)))
    quarters = Quarters.of(clips)
    scored = (Clustered.of(each, quarters, size, seed) for each in (steps, mixed, steps.uniform(seed)))
    return tightness(*scored, quarters, clips.groups)


def holds_zero(found: list[Tightness], name: str) -> int:
    intervals = [getattr(each, name) for each in found]
    return sum(interval.low <= 0 <= interval.high for interval in intervals)


def heavy_tailed(rng: np.random.Generator, _: int) -> np.ndarray:
    return rng.normal(size=(DIM, FRAMES)) * np.exp(0.8 * rng.normal(size=(1, FRAMES)))


def drifting(rng: np.random.Generator, _: int) -> np.ndarray:
    latents = rng.normal(size=(DIM, FRAMES))
    for t in range(1, FRAMES):
        latents[:, t] = 0.9 * latents[:, t - 1] + np.sqrt(1 - 0.81) * latents[:, t]
    return latents


def test_independent_frames_have_no_excess_and_lose_nothing_on_unseen_speakers() -> None:
    found = [measured(heavy_tailed, seed) for seed in SEEDS]
    for name in ("excess", "uniform_excess", "transfer"):
        assert holds_zero(found, name) >= 4, name
    assert all(each.tightness.value > 0.3 for each in found), "noise looks tight all the same"


def test_frames_that_drift_without_archetypes_are_as_tight_as_uniform_directions() -> None:
    found = [measured(drifting, seed) for seed in SEEDS]
    for name in ("uniform_excess", "transfer"):
        assert holds_zero(found, name) >= 4, name


@pytest.mark.parametrize("seed", SEEDS)
def test_planted_archetypes_are_found_and_shared_by_all_speakers(seed: int) -> None:
    found = measured(lambda rng, _: WALK.sample(FRAMES, rng)[0], seed)
    # the frames of a walk lie along a line, so that in random order they are tight too
    assert found.excess.low > 0
    assert found.uniform_excess.low > 0.1
    # centres that take two archetypes leave one to share: below the planted cosine, never above
    assert 0.7 < found.tightness.value <= 0.91
    assert abs(found.transfer.value) < 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_archetypes_of_single_speakers_do_not_transfer(seed: int) -> None:
    turns = [np.linalg.qr(np.random.default_rng((seed, s)).normal(size=(DIM, DIM)))[0] for s in range(SPEAKERS)]
    few = ArchetypeWalk(2, switch=0.1, cosine=0.9)

    def own(rng: np.random.Generator, speaker: int) -> np.ndarray:
        """Four archetypes in a plane of the speaker's own, among noise in all directions."""
        planted = few.sample(FRAMES, rng)[0]
        noise = 0.1 * rng.normal(size=(DIM, FRAMES)).cumsum(1)
        return turns[speaker][:, :2] @ planted + noise

    found = measured(own, seed)
    assert found.transfer.high < -0.05


def test_speakers_of_one_clip_each_say_nothing_of_transfer() -> None:
    rng = np.random.default_rng(0)
    kept = {f"{i:02}": (f"s{i:02}", drifting(rng, i)) for i in range(30)}
    clips = Clips.of(kept, group_kind="speaker")
    steps, quarters = Steps.of(clips).apart(), Quarters.of(clips)
    assert set(quarters.quarter) == {0, 1, 2, 3}
    scored = Clustered.of(steps, quarters, 32, 0)
    found = tightness(scored, scored, scored, quarters, clips.groups)
    assert found.transfer.num_groups == 0
    assert found.excess.value == 0


def test_so_many_archetypes_are_tried_as_the_sample_has_steps_for() -> None:
    rng = np.random.default_rng(0)
    kept = {f"{i:02}": (f"s{i % 6}", drifting(rng, i)) for i in range(48)}
    clips = Clips.of(kept, group_kind="speaker")
    steps = Steps.of(clips).apart()
    assert Quarters.of(clips).sizes(steps) == (32, 64, 128), "of 600 steps in a quarter"
