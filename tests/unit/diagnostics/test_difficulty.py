import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.diagnostics.difficulty import difficulty, quantiles, stages, strata, to_audit


def simulated(noise, seed=0, speakers=30, clips=20):
    """Clips with known rates, and bits of even and odd seconds with this much noise per second."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(speakers), clips)
    truth = 100 + 5 * rng.normal(size=speakers)[groups] + 10 * rng.normal(size=groups.size)
    seconds = rng.integers(2, 12, (groups.size, 2)).astype(float)
    halves = truth[:, None] * seconds + noise * np.sqrt(seconds) * rng.normal(size=seconds.shape)
    return truth, halves, seconds, [f"s{g}" for g in groups]


def test_spread_and_noise_are_found_again():
    _, halves, seconds, groups = simulated(noise=40)
    result = difficulty(halves.sum(1), seconds.sum(1), groups, halves, seconds)
    assert np.sqrt(result.noise) == pytest.approx(40, rel=0.1)
    assert result.spread == pytest.approx(10, rel=0.15)
    assert result.reliability == pytest.approx(100 / (100 + 1600 / seconds.sum(1)), abs=0.1)


@pytest.mark.parametrize("noise", [5, 40, 200])
def test_shrunk_difficulty_is_closer_to_the_truth_than_the_measured_rate(noise):
    truth, halves, seconds, groups = simulated(noise)
    result = difficulty(halves.sum(1), seconds.sum(1), groups, halves, seconds)
    measured = np.mean((result.bits_per_second - truth) ** 2)
    assert np.mean((result.shrunk - truth) ** 2) < measured * 1.001


def test_clips_without_bits_stay_unknown_and_do_not_disturb_the_others():
    _, halves, seconds, groups = simulated(noise=40)
    whole = difficulty(halves.sum(1), seconds.sum(1), groups, halves, seconds)
    holes, empty = np.vstack((halves, [[np.nan, np.nan]])), np.vstack((seconds, [[0, 0]]))
    result = difficulty(holes.sum(1), empty.sum(1), [*groups, "s0"], holes, empty)
    assert np.isnan(result.shrunk[-1])
    assert np.array_equal(result.shrunk[:-1], whole.shrunk)
    assert np.isnan(difficulty(holes[-1:].sum(1), empty[-1:].sum(1), ["a"], holes[-1:], empty[-1:]).shrunk).all()


def test_where_every_clip_is_its_own_group_the_corpus_is_the_group():
    truth, halves, seconds, groups = simulated(noise=10)
    alone = difficulty(halves.sum(1), seconds.sum(1), [f"{g}{i}" for i, g in enumerate(groups)], halves, seconds)
    assert alone.spread == pytest.approx(np.sqrt(125), rel=0.15)
    assert np.corrcoef(alone.shrunk, truth)[0, 1] > 0.95


def test_stages_open_half_then_four_fifths_then_all_of_the_hours():
    rng = np.random.default_rng(0)
    hard, durations = rng.normal(size=2000), rng.uniform(1, 20, 2000)
    stage = stages([None] * 2000, hard, durations)
    share = np.bincount(stage, durations) / durations.sum()
    assert share == pytest.approx([0.5, 0.3, 0.2], abs=0.01)
    assert hard[stage == 0].max() < hard[stage == 1].min()


def test_lower_tiers_join_later_and_unknown_clips_last():
    hard, durations = np.array([0.0, 0.1, 0.2, 5.0, np.nan, 0.3]), np.ones(6)
    stage = stages(
        ["gold", "silver", "bronze", "gold", "gold", None],
        hard,
        durations,
        tier_order=("gold", "silver", "bronze"),
        opens=(0.9, 0.95),
    )
    assert stage.tolist() == [0, 1, 2, 1, 2, 2]


def test_strata_give_every_stage_short_and_long_clips():
    rng = np.random.default_rng(0)
    durations = rng.uniform(1, 20, 3000)
    hard = durations + 0.1 * rng.normal(size=3000)
    stratum = strata(durations, ["a"] * 3000)
    assert np.bincount(stratum).tolist() == [1000, 1000, 1000]
    stage = stages([None] * 3000, hard, durations, stratum=stratum)
    means = [durations[stage == s].mean() for s in range(3)]
    assert max(means) - min(means) < 6
    means_without = [durations[stages([None] * 3000, hard, durations) == s].mean() for s in range(3)]
    assert max(means_without) - min(means_without) > 8


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 30)), min_size=1, max_size=50), st.randoms())
def test_stages_do_not_depend_on_the_order_of_clips(rows, random):
    order = random.sample(range(len(rows)), len(rows))
    hard, durations = np.array(rows).T
    place = quantiles(hard, durations)
    assert np.all((place > 0) & (place < 1))
    assert quantiles(hard[order], durations[order]) == pytest.approx(place[order])


def test_the_hardest_hundredth_is_marked_for_audit():
    hard = np.append(np.arange(1000.0), np.nan)
    assert np.flatnonzero(to_audit(hard)).tolist() == list(range(990, 1000))
