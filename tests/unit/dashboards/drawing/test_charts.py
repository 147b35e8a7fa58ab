from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

from auricle.dashboards.drawing import charts


def bars(svg: str, kind: str) -> list[tuple[float, float]]:
    """(bottom, top) of each bar of a status."""
    path = re.search(rf'class="{kind}" d="([^"]*)"', svg)
    return [(float(b), float(t)) for b, t in re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", path[1])] if path else []


def score(kept: list[int], dropped: list[int], start: float = 0.0, step: float = 1.0) -> dict[str, Any]:
    quantile = {"count": sum(kept), "p05": 0.0, "p50": 1.0, "p95": 2.0}
    bins = {"start": start, "step": step, "count": len(kept), "counts": {"kept": kept, "dropped": dropped}}
    return {"unit": "dB", "quantiles": {"kept": quantile}, "histogram": bins}


def test_heights_are_in_proportion_and_dropped_clips_stand_on_kept_ones() -> None:
    svg = charts.histogram("x", score([10, 20, 0], [10, 0, 5]))
    (first, second), (on_first, alone) = bars(svg, "kept"), bars(svg, "dropped")
    height = first[0] - second[1]  # the tallest, 20 clips
    assert first[0] - first[1] == pytest.approx(height / 2, abs=0.2)
    assert on_first == pytest.approx((first[1], second[1]), abs=0.2)
    assert alone[0] - alone[1] == pytest.approx(height / 4, abs=0.2)


def test_one_overwhelming_bin_gets_a_root_axis_and_says_so() -> None:
    svg = charts.histogram("x", score([100, 1, 0], [0, 0, 0]))
    tall, small = bars(svg, "kept")
    assert (small[0] - small[1]) / (tall[0] - tall[1]) == pytest.approx(0.1, abs=0.01)
    assert "root scale" in svg
    assert "root scale" not in charts.histogram("x", score([5, 5], [0, 0]))


def test_limits_are_drawn_where_they_are_on_the_axis() -> None:
    svg = charts.histogram("x", score([1, 1, 1, 1], [0] * 4), [("min", 1.0), ("max", 99.0)])
    assert svg.count('class="limit"') == 1
    assert float(re.search(r'class="limit" x1="([\d.]+)"', svg)[1]) == pytest.approx(  # pyright: ignore[reportOptionalSubscript]
        8 + (charts.WIDTH - 16) / 4, abs=0.1
    )


def test_the_version_before_is_outlined_at_equal_area_even_with_other_bins() -> None:
    now = score([0, 10, 10, 0], [0] * 4)
    same = charts.histogram("x", now, previous=score([0, 500, 500, 0], [0] * 4))
    half = charts.histogram("x", now, previous=score([0, 0, 50, 50, 50, 50, 0, 0], [0] * 8, step=0.5))

    def heights(svg: str) -> set[str]:
        return set(re.findall(r"[ML][\d.]+ ([\d.]+)H", re.search(r'class="previous" d="([^"]*)"', svg)[1]))  # pyright: ignore[reportOptionalSubscript]

    assert heights(same) == heights(half)
    assert "previous" not in charts.histogram("x", now, previous={"count": 0})


@pytest.mark.parametrize("name", ["<script>", 'a"b', "x & y"])
def test_every_chart_is_well_formed_and_escapes_names(name: str) -> None:
    made = [
        charts.histogram(name, score([3, 0], [0, 1]), [(name, 0.5)]),
        charts.stacked_bar([(name, 3, "kept"), ("none", 0, "dropped")], name),
        charts.bar(1, 2, "dropped", 0.5),
        charts.bar(0, 0, "dropped"),
        charts.interval(1, 0.5, 2, 0, 2),
        charts.interval(1, None, None, 1, 1),
        charts.waveform(np.array([-1.0, 0.0]), np.array([1.0, 0.0])),
    ]
    for svg in made:
        ET.fromstring(svg.replace("&#39;", "'").replace("&#34;", "&quot;"))
        assert "<script>" not in svg
        assert "nan" not in svg


def test_a_chart_says_in_words_what_it_shows(sample: Any) -> None:
    words = charts.describe(sample.profile["scores"]["snr_db"])
    assert re.fullmatch(r"kept: 2\d\d clips, median [\d.]+ dB, .* dB; dropped: 1\d\d clips, .* dB", words)
    one = score([1], [0])
    assert charts.describe(one).startswith("kept: 1 clip, ")
    assert ">tallest 1 clip<" in charts.histogram("x", one)
