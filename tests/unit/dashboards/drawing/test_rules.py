from __future__ import annotations

from auricle.dashboards.drawing.rules import breaks, describe_reason, rules_of
from auricle.schemas.condition import Rule


def test_a_rule_is_said_drawn_and_applied() -> None:
    rule = Rule(score="snr_db", reason="noisy", min=10.0, max=60.0)
    assert rule.words == "snr_db >= 10 and snr_db <= 60"
    assert rule.limits == [("min", 10.0), ("max", 60.0)]
    assert [breaks(rule, v) for v in (9.9, 10.0, 60.0, 60.1, None)] == [True, False, False, True, False]
    assert breaks(rule, None, "unmeasurable: no speech")


def test_equality_compares_words_truths_and_numbers() -> None:
    vad = Rule(score="snr_method", reason="x", equals="vad")
    assert breaks(vad, "cnn")
    assert not breaks(vad, "vad")
    aligned = Rule(score="align_ok", reason="x", equals=True)
    assert breaks(aligned, False)
    assert not breaks(aligned, True)


def test_rules_come_from_a_resolved_configuration_and_nonsense_is_left_out() -> None:
    keep = [{"score": "snr_db", "min": 10, "max": None, "equals": None, "reason": "noisy", "missing": "auto"}, "?"]
    newer = [{"score": "snr_db", "min": 10, "reason": "noisy", "of_a_newer_auricle": 1}, {"score": "snr_db"}]
    assert rules_of({"keep": keep}) == rules_of({"keep": newer}) == [Rule(score="snr_db", reason="noisy", min=10)]
    assert rules_of({}) == []


def test_what_gives_a_reason_is_said_be_it_rule_group_or_quota() -> None:
    config = {
        "keep": [{"score": "snr_db", "min": 10, "reason": "noisy"}],
        "drop_groups": [{"by": "source", "max_share": 0.3, "counting": ["noisy"], "reason": "bad_source"}],
        "quotas": [{"by": "speaker", "max_hours": 2.0, "max_clips": None, "reason": "quota"}],
    }
    assert describe_reason(config, "noisy") == "snr_db >= 10"
    assert describe_reason(config, "bad_source") == "at most 30 % of the source's clips bad (noisy)"
    assert describe_reason(config, "quota") == "within 2 h per speaker"
    assert describe_reason(config, "duplicate") == "the one kept of each set of copies"
    assert describe_reason(config, "unknown") == ""
