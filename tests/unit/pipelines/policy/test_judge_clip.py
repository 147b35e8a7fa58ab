"""Rules over one clip in words: the same decision as the run's, with what was found and what is required."""

from __future__ import annotations

from typing import Any

import pytest

from auricle.curators.registry import build
from auricle.pipelines.policy.judge_clip import Judge
from auricle.schemas.condition import Rule, Tier

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
            "noisy: snr_db could not be measured (no speech), required at least 10",
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


def test_a_score_that_rounding_would_make_look_right_is_shown_in_full() -> None:
    (line,) = Judge([NOISY], [], CURATORS)(row(snr_db=9.9999)).why
    assert line == "noisy: snr_db 9.9999 dB, required at least 10"


def test_a_clip_that_a_rule_is_unsure_of_goes_where_the_rule_says() -> None:
    clip = row(snr_db=11.0, snr_sigma_db=2.0)
    rules = [NOISY.model_copy(update={"confidence": 0.9, "unsure": u}) for u in ("keep", "drop", "tier")]
    found = [Judge([rule], [Tier(name="bronze")], CURATORS)(clip) for rule in rules]
    assert [(f.status, f.tier) for f in found] == [("kept", "bronze"), ("dropped", None), ("kept", "undecided")]
    assert found[1].why == ("noisy: snr_db 11.0 ± 2 dB, required at least 10, 0.9 sure",)
    assert found[2].undecided == ("undecided: snr_db 11.0 ± 2 dB, required at least 10, 0.9 sure",)
    assert [f.undecided for f in found[:2]] == [found[2].undecided, ()]
