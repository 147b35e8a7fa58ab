"""Texts laid on real speech: late, drifting, wrong and without times."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auricle.pipelines.cutting.recording import CUTTING_VERSION, Whole, cut_recording, hear, lay
from auricle.schemas.config import Segmentation

DATA = Path(__file__).resolve().parents[5] / "shared" / "data" / "longform"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data/longform")
RECORDING = DATA / "ls_3005_consecutive.flac"


@pytest.fixture(scope="module")
def whole() -> Whole:
    return hear(RECORDING)


def cues() -> list[tuple[float, float, str]]:
    """Beginning, end and text of ten utterances."""

    def seconds(stamp: str) -> float:
        h, m, s = stamp.replace(",", ".").split(":")
        return int(h) * 3600 + int(m) * 60 + float(s)

    blocks = [b.splitlines() for b in RECORDING.with_suffix(".srt").read_text().strip().split("\n\n")]
    return [(seconds(t.split()[0]), seconds(t.split()[2]), " ".join(text)) for _, t, *text in blocks]


def label(text: str, start_s: float | None = None, end_s: float | None = None, language: str = "en") -> dict[str, Any]:
    length = None if start_s is None or end_s is None else end_s - start_s
    return {"start_s": start_s, "duration_s": length, "channel": None, "transcript": text} | {
        "words": None, "speaker": None, "language": language,
    }  # fmt: skip


def inside(text: Any, start: float, end: float) -> bool:
    return text.placed is not None and start - 0.2 <= text.placed[0] and text.placed[1] <= end + 0.2


def test_cues_that_are_late_and_drift_are_found_and_a_wrong_one_is_not(whole: Whole) -> None:
    true = cues()
    labels = [label(t, 3.0 + 1.01 * a, 3.0 + 1.01 * b) for a, b, t in true]
    labels[4] = label(
        "the quick brown fox jumps over the lazy dog by the river bank", *[3.0 + 1.01 * t for t in true[4][:2]]
    )
    texts, (timing,) = lay(RECORDING, whole, labels)
    right = [inside(text, *true[k][:2]) for k, text in enumerate(texts)]
    assert right == [True] * 4 + [False] + [True] * 5
    assert texts[4].placed is None
    assert (timing["cues"], timing["aligned"], timing["unmatched"], timing["method"]) == (10, 9, 1, "aligner")
    assert timing["drift"] == pytest.approx(1 / 1.01 - 1, abs=0.004)
    # words begin up to half a second after the cue that they are of
    assert timing["offset_s"] == pytest.approx(-3.0 / 1.01 + 0.45, abs=0.4)


def test_one_text_without_times_is_laid_on_and_what_nobody_says_is_left_out(whole: Whole) -> None:
    true = cues()
    preface = "this chapter was written in the winter of that year and nobody has read it aloud since then at all"
    said = [t for _, _, t in true]
    texts, (timing,) = lay(RECORDING, whole, [label(" ".join([preface, *said[:5], preface, *said[6:]]))])
    (text,) = texts
    known = ~np.isnan(text.times[:, 0])
    words = [0, *np.cumsum([len(part.split()) for part in [preface, *said[:5], preface, *said[6:]]])]
    parts = [(known[a:b].mean(), text.times[a:b]) for a, b in itertools.pairwise(words)]
    for k in (0, 6):
        assert parts[k][0] < 0.3
    at = [0, 1, 2, 3, 4, 6, 7, 8, 9]
    for k, (share, times) in zip(at, [p for k, p in enumerate(parts) if k not in (0, 6)], strict=True):
        assert share > 0.7, k
        assert np.nanmin(times) > true[k][0] - 0.3
        assert np.nanmax(times) < true[k][1] + 0.3
    assert timing["offset_s"] is None


def test_clips_have_their_own_words_and_no_cut_is_in_one() -> None:
    found = cut_recording(RECORDING, Segmentation(method="speech", max_s=12), [label(t, a, b) for a, b, t in cues()])
    rows = [found.aligned[start, end, 0] for start, end in found.spans]
    assert " ".join(row["text"] for row in rows).split() == " ".join(t for _, _, t in cues()).split()
    for (start, end), row in zip(found.spans, rows, strict=True):
        assert start / 16_000 <= row["words"][0]["start_s"]
        assert row["words"][-1]["end_s"] <= end / 16_000
    (sound,) = found.facts["sound"]
    assert sound["noise_power"] > 0
    assert sound["bandwidth_hz"] > 7000


def test_without_an_aligner_cues_are_moved_and_said_to_be(whole: Whole) -> None:
    texts, (timing,) = lay(RECORDING, whole, [label(t, a, b, "xx") for a, b, t in cues()])
    assert {text.how for text in texts} == {"moved"}
    assert timing["method"] in ("speech", "none")
    assert timing["aligned"] == 0


def test_cues_that_overlap_run_backwards_or_lie_outside_break_nothing(whole: Whole) -> None:
    true = cues()
    labels = [label(t, a, b) for a, b, t in reversed(true)] + [label("far away", 1e6, 1e6 + 1), label("...", 1, 2)]
    labels += [label(true[0][2], 0.0, 60.0), label("x" * 200, 5.0, 5.01), label("yes", 20.0, None)]
    texts, _ = lay(RECORDING, whole, labels)
    assert len(texts) == len(labels)
    placed = {text.text for text in texts if text.placed}
    assert {t for _, _, t in true[1:]} <= placed
    assert CUTTING_VERSION == 1
