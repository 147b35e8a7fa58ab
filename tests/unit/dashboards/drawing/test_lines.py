"""Lines over a doubling scale."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from auricle.dashboards.drawing.lines import HEIGHT, KINDS, WIDTH, Line, key, lines
from auricle.dashboards.drawing.text import share

NAT = Line("mimi", [(80, 4.0), (160, 2.0), (320, 1.0)], 1, [(80, 3.5, 4.5), (160, 1.8, 2.2)])
NULL = Line("mimi, shuffled", [(80, 0.1), (320, 0.0)], 1, is_null=True)


def drawn(*given: Line, **options: object) -> ElementTree.Element:
    return ElementTree.fromstring(lines("Information", given, "horizon, ms", "nat", **options))


def places(chart: ElementTree.Element, kind: str) -> list[tuple[float, float]]:
    marks = [str(e.get("transform")) for e in chart.iter("path") if e.get("class") == kind]
    return [tuple(float(v) for v in re.findall(r"-?[\d.]+", mark)) for mark in marks]


def test_every_doubling_is_as_wide_as_the_next_and_values_are_in_proportion() -> None:
    (x80, y4), (x160, y2), (x320, y1) = places(drawn(NAT, NULL), "mark1")
    assert x160 - x80 == pytest.approx(x320 - x160, abs=0.11)
    assert (y2 - y4) == pytest.approx(2 * (y1 - y2), abs=0.2)
    assert 0 < x80 < x320 < WIDTH
    assert 0 < y4 < y1 < HEIGHT


def test_every_value_is_said_with_its_interval_and_the_null_is_dashed() -> None:
    chart = drawn(NAT, NULL)
    said = str(chart.get("aria-label"))
    assert said.startswith(
        "Information. nat over horizon, ms. mimi: 4 (3.5 to 4.5) at 80, 2 (1.8 to 2.2) at 160, 1 at 320"
    )
    assert "mimi, shuffled: 0.1 at 80, 0 at 320" in said
    assert len([e for e in chart.iter("path") if e.get("class") == "curve curve1 null"]) == 1
    assert len([e for e in chart.iter("path") if "spread" in str(e.get("class"))]) == 2
    assert len(places(chart, "mark1")) == 3, "a null has no marks"


def test_marks_that_would_run_into_each_other_are_left_out() -> None:
    chart = drawn(Line("a", [(100, 1.0), (101, 1.1), (200, 1.2)]))
    assert {"100", "200"} <= {t.text for t in chart.iter("text")}
    assert "101" not in {t.text for t in chart.iter("text")}


@pytest.mark.parametrize("points", [[(8, 0.5), (8, 0.5)], [(1, 0.0), (2, 0.0)], [(1, -3.0), (2, -3.0)]])
def test_what_does_not_vary_is_drawn_too(points: list[tuple[float, float]]) -> None:
    for from_zero in (False, True):
        chart = drawn(Line("flat", points), from_zero=from_zero, written=share)
        assert all(0 <= y <= HEIGHT for _, y in places(chart, "mark0"))


def test_names_are_text_whatever_is_in_them() -> None:
    chart = drawn(Line('</svg><script>x="1"', [(1, 1.0), (2, 2.0)]))
    assert not list(chart.iter("script"))


def test_a_key_looks_like_its_line() -> None:
    for kind in range(KINDS + 1):
        assert f"curve{kind % KINDS}" in key(Line("", [], kind))
        assert "mark" in key(Line("", [], kind))
        assert "mark" not in key(Line("", [], kind, is_null=True))
