"""Turns of speakers: no clip goes over a change, and what two say at once is named."""

from __future__ import annotations

import numpy as np

from auricle.pipelines.cutting.recording import Whole, cut
from auricle.pipelines.cutting.turns import Turn, cut_by, name_speakers
from auricle.schemas.config import Segmentation

RATE = 16_000
TURNS = [Turn(1, 9, "ann"), Turn(4, 4.5, "bob"), Turn(10, 20, "bob"), Turn(19, 30, "ann"), Turn(34, 39, "ann")]


def whole(channels: int = 1) -> Whole:
    return Whole(np.full((channels, 1250), 0.9, np.float32), 40 * RATE, RATE, [])


def test_clips_of_one_channel_are_of_one_speaker() -> None:
    turns = cut_by(TURNS, 40 * RATE, RATE, (1, 1250))
    tiling = cut(whole(), [], Segmentation(method="speech", max_s=10), turns)
    rows: dict = {}
    name_speakers(rows, TURNS, tiling.clips, RATE, 1)
    named = [(a / RATE, b / RATE, rows[a, b, 0]["speaker"]) for a, b in tiling.clips]
    assert [who for *_, who in named] == ["ann", "bob", "ann", "ann", "ann"]
    assert all(not a < 9.5 < b for a, b, _ in named)
    assert [(g.start, g.end) for g in tiling.gaps if g.kind == "overlap"] == [(19 * RATE, 20 * RATE)]


def test_sides_of_a_conversation_stay_paired_whoever_speaks() -> None:
    turns = [Turn(1, 38, "ann", 0), Turn(4, 4.5, "bob", 1)]
    assert cut_by(turns, 40 * RATE, RATE, (2, 1250)) is None
    rows: dict = {}
    name_speakers(rows, turns, [(0, 40 * RATE)], RATE, 2)
    assert [rows[0, 40 * RATE, c]["speaker"] for c in (0, 1)] == ["ann", "bob"]


def test_a_monologue_is_cut_where_the_other_side_says_nothing() -> None:
    speech = np.zeros((2, 1250), np.float32)
    speech[0] = 0.95
    # the other side answers at all times but one
    speech[1] = 0.95
    speech[1, 600:640] = 0.0
    tiling = cut(Whole(speech, 40 * RATE, RATE, []), [], Segmentation(method="speech"))
    ((_, at), _) = tiling.clips
    assert 600 <= at / 512 <= 640
    assert tiling.forced == 1
