"""Counts of undecided clips: the same by SQL as clip by clip, and in words what each choice costs."""

from __future__ import annotations

from statistics import NormalDist

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from auricle.schemas.condition import Rule
from auricle.schemas.undecided import Undecided, undecided_row, undecided_sql


def counted(rule: Rule, rows: list[dict]) -> Undecided:
    with duckdb.connect() as db:
        db.register("clips", pa.Table.from_pylist(rows))
        verdict = rule.verdict_sql("snr", "float32", "CAST(NULL AS VARCHAR)", "sigma")
        return undecided_row(rule, db.execute(undecided_sql(rule, verdict, "snr", "sigma", (), "clips")).fetchall()[0])


@pytest.mark.parametrize("bounds", [{"min": 10}, {"max": 20}, {"min": 10, "max": 20}])
def test_clips_hours_and_expected_good_ones_are_those_of_each_clip(bounds: dict[str, float]) -> None:
    rng = np.random.default_rng(0)
    rule = Rule(score="snr_db", reason="noisy", confidence=0.9, unsure="tier", **bounds)
    rows = [
        {
            "snr": np.float32(rng.normal(14, 6)),
            "sigma": np.float32(rng.uniform(0.3, 4)),
            "status": str(rng.choice(["kept", "dropped", "failed"])),
            "reasons": [["clipped"], ["noisy"], None][int(rng.integers(3))],
            "duration_s": float(rng.uniform(1, 9)),
        }
        for _ in range(400)
    ]
    found = counted(rule, rows)
    mine = [
        r
        for r in rows
        if r["status"] != "failed" and rule.verdict(float(r["snr"]), "float32", None, float(r["sigma"])) == "unsure"
    ]
    alone = [r for r in mine if r["reasons"] != ["clipped"]]
    assert (found.clips, found.open_clips) == (len(mine), len(alone))
    assert len(alone) > 10
    assert found.hours * 3600 == pytest.approx(sum(r["duration_s"] for r in mine), rel=1e-4)
    assert found.open_hours * 3600 == pytest.approx(sum(r["duration_s"] for r in alone), rel=1e-4)
    true = [NormalDist(float(r["snr"]), float(r["sigma"])) for r in alone]
    good = sum(d.cdf(bounds.get("max", 1e9)) - d.cdf(bounds.get("min", -1e9)) for d in true)
    assert found.good_clips == pytest.approx(good, abs=0.01 * len(alone))


def test_nothing_undecided_is_zero_everywhere() -> None:
    rule = Rule(score="snr_db", min=10, reason="noisy", confidence=0.9)
    found = counted(rule, [{"snr": 40.0, "sigma": 1.0, "status": "kept", "reasons": None, "duration_s": 3600.0}])
    assert (found.clips, found.open_clips, found.good_clips, found.hours) == (0, 0, 0, 0)


def test_the_words_say_what_becomes_of_them_and_what_either_choice_costs() -> None:
    rule = Rule(score="snr_db", min=10, reason="noisy", confidence=0.9, unsure="tier")
    near = {"sigma": 2.0, "duration_s": 360.0}
    rows = [
        near | {"snr": 11.0, "status": "kept", "reasons": None},
        near | {"snr": 10.0, "status": "kept", "reasons": None},
        near | {"snr": 9.0, "status": "kept", "reasons": None},
        near | {"snr": 9.0, "status": "dropped", "reasons": ["clipped"]},
    ]
    what, cost = counted(rule, rows).lines
    assert what == (
        "noisy: 4 clips (0.40 h) are undecided by snr_db >= 10, 0.9 sure, unsure: tier. They are kept in the tier "
        "'undecided'; 1 of them are dropped for another reason"
    )
    assert cost == (
        "keeping the other 3 (0.30 h) keeps about 2 (0.15 h) that break the rule; dropping them loses about 2 (0.15 h) "
        "that satisfy it"
    )
