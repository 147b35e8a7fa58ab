"""Labels as words in pieces, and what a clip gets of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from auricle.pipelines.cutting.assigning import aligned_rows
from auricle.pipelines.cutting.moving import move
from auricle.pipelines.cutting.texts import Text, pieces_of, texts_of
from auricle.pipelines.cutting.timing import Timing


def label(transcript: str | None, start_s: float | None = None, duration_s: float | None = None, **more: Any) -> dict:
    empty = {"channel": None, "words": None, "speaker": None, "language": "en"}
    return {"start_s": start_s, "duration_s": duration_s, "transcript": transcript} | empty | more


def test_every_token_is_in_one_piece_whatever_it_is() -> None:
    said = "Mr. Brown paid $5,000 -- for it [laughter] in 1984. <i>Then he left.</i> Ελλάδα " * 9
    (text,) = texts_of([label(said)])
    pieces = pieces_of(text)
    assert [p.first for p in pieces[1:]] == [p.stop for p in pieces[:-1]]
    assert all(len(p.words) == len(p.owner) for p in pieces)
    assert "<i>" not in text.tokens
    for piece in pieces:
        piece.take(np.stack([np.arange(len(piece.words)), np.arange(len(piece.words)) + 0.5], axis=1) + piece.first)
    assert not np.isnan(text.times[: pieces[-1].stop]).any()


def test_labels_without_text_are_no_texts_and_timed_words_are_cues() -> None:
    words = [{"word": w, "start_s": t, "end_s": t + 0.3} for w, t in (("one", 0.0), ("two", 0.4), ("three", 3.0))]
    found = texts_of([label(None, 1.0, 2.0), label("  ", 1.0), label("one two three", words=words)])
    assert [(t.text, t.start_s, t.end_s) for t in found] == [("one two", 0.0, 0.7), ("three", 3.0, 3.3)]


def test_a_clip_has_the_words_whose_middle_is_in_it_and_the_cues_own_times() -> None:
    cue = Text("a b c d", 1.0, 5.0, speaker="ann", tokens=list("abcd"))
    cue.times = np.array([[2, 3], [3, 4], [11, 12], [np.nan, np.nan]], float)
    cue.how = "aligned"
    lost = Text("never said", 2.0, 3.0, tokens=["never", "said"], times=np.full((2, 2), np.nan), expected_s=3.0)
    rows = aligned_rows([cue, lost], [(0, 80_000), (160_000, 240_000)], 16_000, 2)
    assert set(rows) == {(0, 80_000, 0), (0, 80_000, 1), (160_000, 240_000, 0), (160_000, 240_000, 1)}
    first, second = rows[0, 80_000, 0], rows[160_000, 240_000, 1]
    assert (first["text"], second["text"]) == ("a b", "c")
    assert first["speaker"] == "ann"
    assert [c["how"] for c in first["cues"]] == ["aligned", "unmatched"]
    assert (first["cues"][0]["start_s"], first["cues"][0]["placed_start_s"]) == (1.0, 2.0)
    assert first["cues"][1]["placed_start_s"] is None


def test_cues_without_an_aligner_go_to_the_pauses_near_where_the_speech_shows_them() -> None:
    speech = np.zeros(1000, np.float32)
    speech[100:200] = speech[220:300] = 1
    cues = [Text("x y", 1.0, 3.9, tokens=["x", "y"]), Text("z", 60.0, 70.0, tokens=["z"])]
    for cue in cues:
        cue.times = np.full((len(cue.tokens), 2), np.nan)
    move(cues, speech, Timing(2.4, 0.0))
    assert np.allclose(cues[0].times, [[3.2, 4.8], [4.8, 6.4]])
    assert cues[0].how == "moved"
    assert cues[1].how == "unmatched", "it lies beyond the end"
