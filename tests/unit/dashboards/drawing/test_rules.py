from __future__ import annotations

from auricle.dashboards.drawing.rules import Rule, rules_of, said_of


def test_a_rule_is_said_drawn_and_applied() -> None:
    rule = Rule("snr_db", "noisy", low=10.0, high=60.0)
    assert rule.said == "snr_db ≥ 10 and snr_db ≤ 60"
    assert rule.limits == [("min", 10.0), ("max", 60.0)]
    assert [rule.breaks(v) for v in (9.9, 10, 60, 60.1, None)] == [True, False, False, True, False]


def test_equality_compares_words_truths_and_numbers() -> None:
    assert Rule("snr_method", "x", equals="vad").breaks("cnn")
    assert not Rule("snr_method", "x", equals="vad").breaks("vad")
    assert Rule("align_ok", "x", equals=True).breaks(False)
    assert not Rule("align_ok", "x", equals=True).breaks(True)


def test_rules_come_from_a_resolved_configuration_and_nonsense_is_left_out() -> None:
    keep = [{"score": "snr_db", "min": 10, "max": None, "equals": None, "reason": "noisy", "missing": "auto"}, "?"]
    assert rules_of({"keep": keep}) == [Rule("snr_db", "noisy", low=10)]
    assert rules_of({}) == []


def test_what_gives_a_reason_is_said_be_it_rule_group_or_quota() -> None:
    config = {
        "keep": [{"score": "snr_db", "min": 10, "reason": "noisy"}],
        "drop_groups": [{"by": "source", "max_share": 0.3, "counting": ["noisy"], "reason": "bad_source"}],
        "quotas": [{"by": "speaker", "max_hours": 2.0, "max_clips": None, "reason": "quota"}],
    }
    assert said_of(config, "noisy") == "snr_db ≥ 10"
    assert said_of(config, "bad_source") == "at most 30 % of the source's clips bad (noisy)"
    assert said_of(config, "quota") == "within 2 h per speaker"
    assert said_of(config, "duplicate") == "the one kept of each set of copies"
    assert said_of(config, "unknown") == ""
