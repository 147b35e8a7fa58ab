"""Rules over one clip in words: the same decision as the run's, with what was found and what is required."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.registry import build
from auricle.pipelines.policy.decide import _breaks
from auricle.pipelines.policy.judge_clip import Judge
from auricle.schemas.config import Rule, Tier

CURATORS = build(["signal", "snr", "alignment"], {})
NOISY = Rule(score="snr_db", min=10, reason="noisy")


def row(**scores: Any) -> dict[str, Any]:
    names = [column.name for curator in CURATORS for column in curator.columns]
    return dict.fromkeys([*names, *(f"{c.name}_reason" for c in CURATORS)]) | scores


@pytest.mark.parametrize(
    ("rule", "scores", "line"),
    [
        (NOISY, {"snr_db": 4.2}, "noisy: snr_db 4.2 dB, required at least 10"),
        (NOISY, {"snr_db": 10.0}, None),
        (
            Rule(score="bandwidth_hz", min=4200, max=9000, reason="band"),
            {"bandwidth_hz": 22050.0},
            "band: bandwidth_hz 22050.0 Hz, required at least 4200 and at most 9000",
        ),
        (
            Rule(score="snr_method", equals="vad", reason="guess"),
            {"snr_method": "network"},
            "guess: snr_method network, required vad",
        ),
        (
            NOISY,
            {"snr_reason": "unmeasurable: no speech"},
            "noisy: snr_db is missing (unmeasurable: no speech), required at least 10",
        ),
        (NOISY, {"snr_reason": "not_applicable: x"}, None),
        (Rule(score="snr_db", min=10, reason="noisy", missing="keep"), {"snr_reason": "unmeasurable: x"}, None),
    ],
)
def test_a_broken_rule_says_what_was_found_and_what_is_required(
    rule: Rule, scores: dict[str, Any], line: str | None
) -> None:
    found = Judge([rule], [], CURATORS)(row(**scores))
    assert found.why == ((line,) if line else ())
    assert found.status == ("dropped" if line else "kept")


def test_a_kept_clip_has_the_first_tier_that_fits() -> None:
    tiers = [Tier.model_validate({"name": "gold", "when": [{"score": "snr_db", "min": 25}]}), Tier(name="bronze")]
    judge = Judge([NOISY], tiers, CURATORS)
    assert [judge(row(snr_db=value)).tier for value in (30.0, 20.0, 3.0)] == ["gold", "bronze", None]


def test_rules_on_scores_that_nobody_gives_are_named_and_left_out() -> None:
    judge = Judge([NOISY, Rule(score="dnsmos_ovrl", min=3, reason="bad")], [], CURATORS)
    assert judge.unjudged == ("dnsmos_ovrl",)
    assert judge(row(snr_db=20.0)).why == ()


BOUND = st.none() | st.integers(-5, 5).map(float)


@settings(deadline=None, max_examples=200)
@given(
    value=st.none() | st.floats(-6, 6, width=32),
    low=BOUND,
    high=BOUND,
    missing=st.sampled_from(["auto", "keep", "drop"]),
    reason=st.sampled_from([None, "not_applicable: x", "unmeasurable: x", "skipped: x", "failed: x"]),
)
def test_one_clip_is_judged_as_the_whole_corpus_is(
    value: float | None, low: float | None, high: float | None, missing: str, reason: str | None
) -> None:
    if (low is None and high is None) or (low is not None and high is not None and low > high):
        return
    rule = Rule.model_validate({"score": "snr_db", "min": low, "max": high, "missing": missing, "reason": "noisy"})
    sql = _breaks(rule, {"snr_db": "snr"})
    with duckdb.connect() as db:
        struct = {"snr_db": None if value is None else float(np.float32(value)), "reason": reason}
        query = f"SELECT {sql} FROM (SELECT CAST(? AS STRUCT(snr_db FLOAT, reason VARCHAR)) AS snr)"
        asked = db.execute(query, [struct]).fetchone()
    assert asked is not None
    judged = Judge([rule], [], CURATORS)(row(snr_db=value, snr_reason=reason))
    assert (judged.status == "dropped") == asked[0]
