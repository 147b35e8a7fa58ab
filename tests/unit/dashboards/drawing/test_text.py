from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.dashboards.drawing.text import count, duration, hours, number, share, shortened, shown, size, span

anything = st.text(st.characters(exclude_categories=()))


@given(anything)
def test_shown_text_has_no_control_override_or_surrogate_left(text: str) -> None:
    made = shown(text)
    made.encode()
    assert not [c for c in made if ord(c) < 0x20 and c not in "\t\n"]
    assert not [c for c in made if 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069]


@given(st.text(st.characters(categories=("L", "N", "P", "Zs"), max_codepoint=0x1FFF)))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert shown(text) == text


def test_a_long_text_says_how_much_is_missing() -> None:
    assert shortened("abc") == "abc"
    assert shortened("a" * 1700, 600) == "a" * 600 + " [… 1\u202f100 more characters]"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (count(1234567), "1\u202f234\u202f567"),
        (count(None), ""),
        (number(0.123456), "0.1235"),
        (number(-12.5), "\u221212.5"),
        (number(4200.0), "4\u202f200"),
        (number(10589.8), "10\u202f590"),
        (number(1e12), "1.0e+12"),
        (number(1.5e-7), "1.5e\u221207"),
        (number(float("nan")), "nan"),
        (number(True), "yes"),
        (number("vad"), "vad"),
        (number(None), ""),
        (share(0.1234), "12.3\u2009%"),
        (share(0.0), "0\u2009%"),
        (share(0.00001), "<\u20090.1\u2009%"),
        (share(0.99999), ">\u200999.9\u2009%"),
        (duration(0.85), "850\u00a0ms"),
        (duration(65.2), "1\u00a0min\u00a005\u00a0s"),
        (duration(7384), "2\u00a0h\u00a003\u00a0min"),
        (hours(0.004), "14.4\u00a0s"),
        (hours(0.34), "20.4\u00a0min"),
        (hours(1234.4), "1\u202f234\u00a0h"),
        (size(41_000_000), "41\u00a0MB"),
        (span((0.5, 0.5), "number"), "0.5"),
        (span((0.5, 1.0), "share"), "50.0\u2009% to 100\u2009%"),
    ],
)
def test_numbers_are_said_with_units_and_few_digits(made: str, said: str) -> None:
    assert made == said
