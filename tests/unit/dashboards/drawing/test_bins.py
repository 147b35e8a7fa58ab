from __future__ import annotations

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from auricle.dashboards.drawing.bins import nice_bins, nice_step, ticks

values = st.floats(-1e6, 1e6, allow_nan=False)


@given(values, values)
def test_nice_bins_cover_their_range_in_at_most_forty_two_steps(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    assume(high - low > 1e-6 * max(abs(low), abs(high), 1e-6))
    bins = nice_bins(low, high)
    slack = 1e-6 * bins.step
    assert bins.start <= low + slack
    assert bins.end >= high - slack
    assert 1 <= bins.count <= 42


@given(values)
def test_a_single_value_gets_bins_around_it(value: float) -> None:
    bins = nice_bins(value, value)
    assert bins.start <= value <= bins.end
    assert bins.start >= 0 or value < 0


@given(st.floats(1e-6, 1e6), st.integers(2, 100))
def test_steps_are_one_two_two_and_a_half_or_five_times_a_power_of_ten(span: float, target: int) -> None:
    step = nice_step(span, target)
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(mantissa - m) for m in (1, 2, 2.5, 5)) < 1e-6
    assert span / step <= target * (1 + 1e-6)


def test_ticks_are_round_numbers_inside_the_range() -> None:
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(-3.2, 41.7) == [0, 10, 20, 30, 40]
    assert ticks(5, 5) == [5]
