"""What is unresolved is said once per reason, with what is needed told apart from what is there."""

from __future__ import annotations

from typing import Any

from auricle.diagnostics.estimates.estimate import Estimate
from auricle.jobs.judging.motion_lines import direction_lines, motion_lines
from auricle.jobs.judging.unresolved import Unresolved

LOST = Estimate.unresolved("3 speakers where an interval needs 5", "audio of at least 5 speakers", "cosine").to_dict()
FOUND = Estimate.resolved(0.5, 0.4, 0.6, "cosine").to_dict()


def motion(estimate: dict[str, Any], tightness: dict[str, Any]) -> dict[str, Any]:
    size = dict.fromkeys(("excess", "uniform_excess", "transfer"), estimate) | {"tightness": tightness}
    step = dict.fromkeys(("frame_cos", "dir_cos", "length_ratio"), estimate)
    step |= {f"{name}_shuffled": 0.0 for name in tuple(step)}
    return {
        "archetypes": {
            "sizes": [size | {"num_archetypes": count} for count in (32, 64)],
            "change_correlation": {"energy": {"value": None, "reason": "no features"}},
        },
        "rollout": {"steps": [step | {"steps": count, "ms": 20.0 * count} for count in (1, 16)]},
    }


def test_a_reason_is_said_once_for_all_that_it_leaves_open() -> None:
    lost = Unresolved()
    lost.add("pred_gain", LOST)
    directions: dict[str, Any] = dict.fromkeys(("gain", "dir_gain_excess", "dir_cos_excess", "logmag_r2_excess"), LOST)
    said = [*motion_lines(motion(LOST, LOST), lost), *direction_lines(directions, lost)]
    assert said == ["whether archetypes change with F0, energy and flux was not measured: no features"]
    assert list(lost.lines()) == [
        "unresolved: pred_gain, archetypes, predictions several frames ahead, steps as direction and length: "
        "3 speakers where an interval needs 5; needed: audio of at least 5 speakers"
    ]


def test_what_is_resolved_stays_in_its_line() -> None:
    lost = Unresolved()
    said = list(motion_lines(motion(FOUND, LOST), lost))
    assert said[0].startswith("32 archetypes: tightness unresolved; +0.500 (+0.400 to +0.600) above shuffled frames")
    assert "1 frame ahead (20 ms): cosine of the frame 0.500 (0.400 to 0.600), shuffled 0.000" in said[3]
    assert len(list(lost.lines())) == 1


def test_an_estimate_tells_what_is_there_from_what_is_needed() -> None:
    assert str(Estimate.unresolved("3 speakers", "5 speakers", "nat")) == "unresolved (3 speakers; needed: 5 speakers)"
    assert str(Estimate.unresolved("no decoder", "", "nat")) == "unresolved (no decoder)"
