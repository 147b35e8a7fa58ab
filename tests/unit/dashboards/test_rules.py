from __future__ import annotations

from auricle.dashboards.rules import Rule, rules_of


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
