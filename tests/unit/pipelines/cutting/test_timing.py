"""Offset and drift of cues: by where speech is, and by where words were found."""

from __future__ import annotations

import numpy as np
import pytest

from auricle.pipelines.cutting.timing import by_pairs, by_speech


def conversation(seconds: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Speech probabilities, and beginnings and ends of what is said."""
    rng = np.random.default_rng(seed)
    starts, ends, at = [], [], 0.0
    while at < seconds - 12:
        at += rng.uniform(0.3, 3)
        starts.append(at)
        at += rng.uniform(1, 9)
        ends.append(at)
    speech = np.zeros(int(seconds / 0.032), np.float32)
    for a, b in zip(starts, ends, strict=True):
        speech[int(a / 0.032) : int(b / 0.032)] = 1
    return speech, np.array(starts), np.array(ends)


@pytest.mark.parametrize(("offset_s", "drift"), [(0.0, 0.0), (12.5, 0.0), (-3.0, 0.01), (20.0, -0.042)])
def test_the_pattern_of_speech_shows_offset_and_drift(offset_s: float, drift: float) -> None:
    speech, starts, ends = conversation(1800)
    rng = np.random.default_rng(1)
    # a label's t is said at offset + (1 + drift) t
    own = [(t - offset_s) / (1 + drift) for t in (starts, ends)]
    there = (rng.random(len(starts)) > 0.2) & (own[0] > 0)
    found = by_speech(speech, own[0][there], own[1][there])
    assert found is not None
    at = np.array([0, 900, 1700])
    assert np.abs(found.offset_s + (1 + found.drift) * at - (offset_s + (1 + drift) * at)).max() < 0.6


def test_cues_that_have_nothing_to_do_with_the_speech_show_nothing() -> None:
    speech, _, _ = conversation(900, seed=2)
    _, starts, ends = conversation(900, seed=3)
    assert by_speech(speech, starts, ends) is None
    assert by_speech(np.zeros(1000, np.float32), starts, ends) is None
    assert by_speech(speech, starts[:0], ends[:0]) is None


def test_a_line_through_pairs_leaves_outliers_out() -> None:
    own = np.linspace(0, 3000, 80)
    found = 2.5 + 1.01 * own + np.random.default_rng(0).normal(0, 0.05, 80)
    found[::9] += 40
    line = by_pairs(own, found)
    assert line is not None
    assert line.offset_s == pytest.approx(2.5, abs=0.05)
    assert line.drift == pytest.approx(0.01, abs=1e-4)
    few = by_pairs(own[:2], found[:2] - 30)
    assert few is not None
    assert few.drift == 0
    assert by_pairs(own[:0], found[:0]) is None


@pytest.mark.parametrize("seed", range(5))
def test_a_first_cue_that_was_cut_off_at_zero_is_no_drift(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = np.sort(rng.uniform(0.5, 45, 9))
    true[0] = 0.7
    # two seconds early, and nothing can be before the beginning
    line = by_pairs(np.maximum(true - 2, 0), true + rng.normal(0, 0.08, 9))
    assert line is not None
    assert line.drift == 0
    assert line.offset_s == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("drift", [-0.04, 0.0005, 0.01])
def test_a_drift_that_shows_is_told_from_none(drift: float) -> None:
    own = np.linspace(0, 1800, 200)
    line = by_pairs(own, 1 + (1 + drift) * own + np.random.default_rng(1).normal(0, 0.3, 200))
    assert line is not None
    assert line.drift == pytest.approx(drift, abs=3e-4)
    assert line.drift != 0
