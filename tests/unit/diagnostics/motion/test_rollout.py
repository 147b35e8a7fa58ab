"""Predictions that are fed back: what is known of them, and nothing in random order."""

from __future__ import annotations

import numpy as np
import pytest

from auricle.diagnostics.known.processes import forecast_cosine, ornstein_uhlenbeck, ornstein_uhlenbeck_forecast
from auricle.diagnostics.latents.gaussian_predictor import GaussianPredictor
from auricle.diagnostics.latents.lag_moments import LagMoments
from auricle.diagnostics.motion.clips import Clips
from auricle.diagnostics.motion.rollout import MEASURES, STEPS, Ahead, affordable, rollout

DIM, RATE, SPEAKERS = 8, 25.0, 12
DECAY = float(np.exp(-1 / (RATE * 0.15)))


def corpus(seed: int, shuffle: bool = False) -> Clips:
    data = ornstein_uhlenbeck(DIM, 0.15, RATE, 5 * SPEAKERS, 8, seed)
    # a linear map, which nothing of this depends on
    turn = np.random.default_rng(seed).normal(size=(DIM, DIM))
    kept = {f"{i:03}": (f"s{i % SPEAKERS:02}", turn @ clip) for i, clip in enumerate(data)}
    clips = Clips.of(kept, group_kind="speaker", seed=seed)
    return clips.shuffled(seed + 70) if shuffle else clips


@pytest.fixture(scope="module")
def found() -> list[tuple[Ahead, ...]]:
    return [rollout(corpus(seed), 1, seed=seed) for seed in range(5)]


def test_all_measures_are_what_the_best_prediction_of_the_process_gives(found: list[tuple[Ahead, ...]]) -> None:
    for i, steps in enumerate(STEPS):
        truth = ornstein_uhlenbeck_forecast(DIM, DECAY, steps)
        for name in MEASURES:
            values = [each[i].value[name] for each in found]
            assert np.mean([v.value for v in values]) == pytest.approx(truth[name], abs=0.015), (steps, name)
            if steps <= 4:
                assert sum(v.low <= truth[name] <= v.high for v in values) >= 4, (steps, name)


def test_a_process_with_memory_keeps_its_place_and_moves_less_than_frames_in_random_order(
    found: list[tuple[Ahead, ...]],
) -> None:
    for each in found:
        assert each[0].excess["frame_cos"].low > 0.4
        assert each[0].excess["dir_cos"].high < 0
        assert each[0].excess["length_ratio"].high < 0
        assert each[0].shuffled["dir_cos"] == pytest.approx(forecast_cosine(DIM, np.sqrt(0.5)), abs=0.02)


def test_frames_in_random_order_have_no_excess() -> None:
    nothing = [rollout(corpus(seed, shuffle=True), 2, seed=seed) for seed in range(5)]
    for i in range(len(STEPS)):
        for name in MEASURES:
            held = sum(each[i].excess[name].low <= 0 <= each[i].excess[name].high for each in nothing)
            assert held >= 4, (STEPS[i], name)


def test_a_prediction_several_steps_ahead_is_the_one_step_fed_back() -> None:
    rng = np.random.default_rng(0)
    clips = rng.normal(size=(20, 3, 200)).cumsum(2) * 0.1 + rng.normal(size=(20, 3, 200))
    predictor = GaussianPredictor(LagMoments.of(clips, 3, (1, 2)), 1e-6)
    past = predictor.white(clips[0])[:, :2]
    newest_first = [past[:, 1], past[:, 0]]
    matrices = predictor.ahead(4)
    flat = np.concatenate(newest_first)
    for steps in range(4):
        following = matrices[0] @ np.concatenate(newest_first[:2])
        assert matrices[steps] @ flat == pytest.approx(following)
        newest_first.insert(0, following)
    with pytest.raises(ValueError, match="leave frames out"):
        GaussianPredictor(LagMoments.of(clips, 3, (2,)), 1e-6).ahead(2)


def test_what_is_missing_is_said() -> None:
    rng = np.random.default_rng(0)
    short = {f"{i}": (f"s{i % 6}", rng.normal(size=(4, 12))) for i in range(60)}
    with pytest.raises(ValueError, match="no clip has 17 frames"):
        rollout(Clips.of(short, group_kind="speaker"), 1)
    with pytest.raises(ValueError, match=r"frames of other speakers where 160 are needed"):
        rollout(Clips.of(dict(list(short.items())[:6]), group_kind="speaker"), 4)


def test_the_past_is_as_long_as_there_are_frames_to_fit_it_on() -> None:
    clips = corpus(0)
    assert clips.num_frames == 12_000
    assert affordable(clips, 4) == 4
    few = {
        key: (group, each.T[:, :40]) for key, group, each in zip(clips.keys, clips.groups, clips.frames, strict=True)
    }
    assert affordable(Clips.of(dict(list(few.items())[:6]), group_kind="speaker"), 4) == 2
