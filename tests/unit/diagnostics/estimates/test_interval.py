import numpy as np
import pytest

from auricle.diagnostics.estimates.interval import Interval, correlation, effective_groups, paired_difference, ratio


def corpus(seed, speakers=40, clips=10, exponent=0.0):
    """Clips whose speakers differ by 0.15 bit/s and clips by 0.2; speakers' sizes fall like rank^-exponent."""
    rng = np.random.default_rng(seed)
    share = np.arange(1.0, speakers + 1) ** -exponent
    each = np.maximum(1, np.round(clips * speakers * share / share.sum())).astype(int)
    groups = np.repeat(np.arange(speakers), each)
    seconds = rng.uniform(2, 10, groups.size)
    rate = 5 + 0.15 * rng.normal(size=speakers)[groups] + 0.2 * rng.normal(size=groups.size)
    return rate * seconds, seconds, [f"s{g}" for g in groups]


@pytest.mark.parametrize(("speakers", "exponent"), [(5, 0), (5, 1), (10, 1), (40, 0), (40, 1)])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(speakers, exponent):
    intervals = [ratio(*corpus(seed, speakers, exponent=exponent)) for seed in range(200)]
    hits = sum(interval.low <= 5 <= interval.high for interval in intervals)
    # the benchmark asks for 92 to 98 % over 800 corpora; two and a half standard deviations more over 200
    assert 0.885 <= hits / 200 <= 0.995


def test_groups_of_unequal_size_are_worth_fewer():
    assert effective_groups(np.ones(7)) == pytest.approx(7)
    assert effective_groups(np.array([100.0, 1, 1])) == pytest.approx(1.04, abs=0.01)
    assert effective_groups(np.zeros(2)) == 0


def test_an_independent_error_adds_in_quadrature():
    wide = Interval(5.0, 2.0, 8.0, 9).widened(4.0)
    assert (wide.low, wide.high) == (pytest.approx(0), pytest.approx(10))


def test_treating_clips_as_independent_would_cover_far_too_little():
    hits = 0
    for seed in range(100):
        bits, seconds, _ = corpus(seed, clips=40)
        interval = ratio(bits, seconds, [str(i) for i in range(bits.size)])
        hits += interval.low <= 5 <= interval.high
    assert hits < 75


def test_the_value_is_a_ratio_of_sums_not_a_mean_of_ratios():
    interval = ratio(np.array([10.0, 1.0]), np.array([1.0, 10.0]), ["a", "b"])
    assert interval.value == pytest.approx(1)


def test_one_group_gives_a_value_without_a_width():
    interval = ratio(np.array([10.0, 30.0]), np.array([1.0, 1.0]), ["a", "a"])
    assert interval.value == 20
    assert not interval.has_width
    assert not ratio(np.zeros(0), np.zeros(0), []).has_width


def test_a_paired_difference_cancels_what_both_share():
    bits, seconds, groups = corpus(0)
    better = bits - 0.05 * seconds
    paired = paired_difference((bits, better), (seconds, seconds), groups)
    assert paired.value == pytest.approx(0.05)
    assert paired.high - paired.low < 1e-9
    single = ratio(bits, seconds, groups)
    assert single.high - single.low > 0.05


def test_another_order_of_clips_changes_nothing_but_rounding():
    bits, seconds, groups = corpus(1)
    first, again = ratio(bits, seconds, groups), ratio(bits, seconds, groups)
    assert first == again
    turned = ratio(bits[::-1], seconds[::-1], groups[::-1])
    assert turned.low == pytest.approx(first.low, rel=1e-12)


def test_the_interval_of_a_correlation_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        x, noise = rng.normal(size=(2, 60, 50)) * (0.5 + rng.random((60, 1)))
        y = 0.5 * x + np.sqrt(0.75) * noise
        sums = (x * y).sum(1), ((x**2).sum(1), (y**2).sum(1)), np.full(60, 50)
        found = correlation(*sums, [f"s{i % 15}" for i in range(60)])
        held += found.low <= 0.5 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_what_never_varies_has_no_correlation() -> None:
    assert correlation(np.zeros(3), (np.zeros(3), np.ones(3)), np.ones(3), ["a", "b", "c"]).num_groups == 0
