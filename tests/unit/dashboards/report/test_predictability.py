"""What a report draws of the diagnostics."""

from __future__ import annotations

from typing import Any

from auricle.dashboards.report.predictability import figures
from auricle.dashboards.report.report import render


def estimate(value: float | None, unit: str = "nat") -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - 0.1, value + 0.1)
    reason = "4 speakers" if value is None else ""
    return {"status": "", "value": value, "low": low, "high": high, "unit": unit, "relation": "=", "reason": reason}


def latents(scale: float) -> dict[str, Any]:
    sizes = [{"num_archetypes": k, "tightness": estimate(0.1 * i), "tightness_shuffled": 0.05 * i}
             for i, k in enumerate((32, 64, 128), 1)]  # fmt: skip
    steps = [{"ms": 80.0 * k, "frame_cos": estimate(0.8 / k), "frame_cos_shuffled": 0.0} for k in (1, 2, 4)]
    return {
        "kind": "latents",
        "pred_gain": estimate(scale),
        "pred_gain_per_s": estimate(50 * scale),
        "lagged_mutual_information": [{"tau_ms": t, **estimate(scale * 80 / t)} for t in (80.0, 160.0, 320.0)],
        "read_out": [{"dimensions": r, "share": estimate(r / 40)} for r in (8, 16, 32)],
        "motion": {"archetypes": {"sizes": sizes}, "rollout": {"steps": steps}},
    }


def codes(rate: float | None) -> dict[str, Any]:
    curve = [{"frames": f, "bits_per_s": 1000.0 - f / 100} for f in (1500.0, 3000.0, 6000.0)]
    return {"kind": "codes", "rate_raw": 1000.0, "frame_rate": 12.5, "code_rate": estimate(rate, "bit/s"),
            "learning_curve": curve}  # fmt: skip


RECORD = {"a-latents-12.5hz": latents(4), "b-latents-50hz": latents(2), "c-codes": codes(900), "d-codes": codes(None)}


def test_each_unit_has_a_chart_of_its_own_with_all_representations() -> None:
    found = {figure.title: figure for figure in figures(RECORD)}
    assert list(found) == [
        "Information against horizon", "Learning curves of the code rate", "Archetypes against shuffled frames",
        "Predictions that are fed back", "Read-outs of few dimensions",
    ]  # fmt: skip
    names = [name for _, name in found["Archetypes against shuffled frames"].legend]
    assert names == [
        "a-latents-12.5hz", "a-latents-12.5hz, shuffled", "b-latents-50hz", "b-latents-50hz, shuffled",
    ]  # fmt: skip
    assert "4 (3.9 to 4.1) at 80" in found["Information against horizon"].chart
    assert "nat/s" not in "".join(figure.chart for figure in found.values())


def test_learning_curves_are_over_minutes_of_audio_and_shares_of_the_raw_rate() -> None:
    (figure,) = figures({"c-codes": codes(900), "d-codes": codes(None)})
    assert [name for _, name in figure.legend] == ["c-codes", "d-codes, unresolved"]
    assert "c-codes: 98.5\u2009% at 2, 97.0\u2009% at 4, 94.0\u2009% at 8" in figure.chart.replace("&#8201;", "\u2009")
    assert figure.chart.count("curve1 unresolved") == 1
    assert "null" not in figure.chart
    assert "Dotted: the rate is unresolved" in figure.note


def test_what_is_unresolved_is_not_drawn_and_older_records_have_less() -> None:
    bare = latents(4) | {"read_out": [{"dimensions": 8, "share": estimate(None)}]}
    for name in ("motion", "lagged_mutual_information"):
        del bare[name]
    assert figures({"a": bare}) == []
    assert figures(None) == []
    damaged = {"kind": "codes", "rate_raw": "fast", "learning_curve": [7, {"frames": "x"}], "code_rate": 3}
    assert figures({"b": damaged, "c": {"kind": "latents", "motion": {"archetypes": 3, "rollout": {"steps": 4}}}}) == []


def test_a_null_is_not_drawn_by_itself_and_the_page_says_why() -> None:
    lost = latents(4)
    for row in lost["motion"]["archetypes"]["sizes"]:
        row["tightness"] = estimate(None)
    for row in lost["motion"]["rollout"]["steps"]:
        row["frame_cos"] = estimate(None)
    alone = {figure.title: figure for figure in figures({"a": lost})}
    for title in ("Archetypes against shuffled frames", "Predictions that are fed back"):
        assert (alone[title].chart, alone[title].legend) == ("", [])
        assert "nothing of it is resolved. a: 4 speakers." in alone[title].note
    beside = {figure.title: figure for figure in figures({"a": lost, "b": latents(2)})}
    assert [name for _, name in beside["Predictions that are fed back"].legend] == ["b", "b, shuffled"]


def test_the_page_has_them_with_titles_and_descriptions(sample: Any) -> None:
    page = render(sample.document, sample.profile, RECORD, [])
    assert page.count('<svg class="lines" role="img"') == 5
    assert page.count("<figure aria-labelledby=") == 5
    assert "Dashed: the same frames in random order" in page
