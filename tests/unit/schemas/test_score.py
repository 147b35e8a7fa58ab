"""How a score and the deviation of its error are written."""

from __future__ import annotations

import pytest

from auricle.schemas.score import with_sigma


@pytest.mark.parametrize(
    ("value", "sigma", "text"),
    [
        (17.23, 3.1, "17.2 ± 3"),
        (17.23, 0.83, "17.23 ± 0.8"),
        (0.7123, 0.064, "0.712 ± 0.06"),
        (17.23, 0.96, "17.2 ± 1"),
        (17.23, 12.4, "17.2 ± 12"),
        (17.2, 0.0951, "17.20 ± 0.1"),
        (17.2, 0.0, "17.2 ± 0"),
    ],
)
def test_the_deviation_has_one_digit_and_the_score_one_decimal_more(value: float, sigma: float, text: str) -> None:
    assert with_sigma(value, sigma) == text
