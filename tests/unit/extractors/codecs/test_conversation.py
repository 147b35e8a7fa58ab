"""Two-sided conversations: streams of both channels and words on the frame grid line up with what was planted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.extractors.codecs.conversation import FAMILY, seen_by, sides
from auricle.extractors.codecs.text_stream import (
    END_OF_PAD,
    FIRST_TOKEN,
    PAD,
    PAIRS_CARDINALITY,
    Word,
    frame_of,
    moshi_layout,
    pairs_of_bytes,
    text_stream,
    word_of_pairs,
)
from auricle.extractors.coding import registry
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import ClipError, ConfigError

RATE = 24_000


def view(kind: str = "codes", **more) -> RepresentationConfig:
    return RepresentationConfig(**{"codec": "conversation", "kind": kind, "weights": "seed:0", **more})


def voice(f0: float, seconds: float) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.2 * sum(np.sin(2 * np.pi * k * f0 * time) / k for k in range(1, 9))).astype(np.float32)


# (side, start_s, end_s): they overlap between 1.4 and 1.8 s
TURNS = ((0, 0.4, 1.8), (1, 1.4, 2.6), (0, 3.0, 3.5))
F0 = (110.0, 220.0)


@pytest.fixture(scope="module")
def dialogue() -> np.ndarray:
    """`[2, 4 s]`: two voices, each on its own channel, silence between."""
    audio = np.zeros((2, 4 * RATE), np.float32)
    for side, start, end in TURNS:
        first = round(start * RATE)
        tone = voice(F0[side], end - start)
        audio[side, first : first + len(tone)] = tone
    return audio


def test_a_conversation_is_both_channels_of_the_inner_codec_stacked(dialogue):
    spec = FAMILY.describe(view(num_codebooks=3))
    assert (spec.name, spec.rows, spec.channels) == ("conversation-builtin-codes-75hz", 6, 2)
    streams = FAMILY.build([view(num_codebooks=3)]).extract(dialogue, RATE)[spec.name]
    (alone,) = registry.build(
        [RepresentationConfig(codec="builtin", kind="codes", weights="seed:0", num_codebooks=3)],
    )
    for channel, side in enumerate(sides(streams)):
        assert np.array_equal(side, alone.extract(dialogue[channel : channel + 1], RATE)["builtin-codes-75hz"])


def test_both_streams_line_up_with_the_turns_to_one_frame(dialogue):
    features = view("features", weights=None, options={"codec": "features"})
    (name,) = (FAMILY.describe(features).name,)
    streams = FAMILY.build([features]).extract(dialogue, RATE)[name]
    codes = FAMILY.build([view()]).extract(dialogue, RATE)["conversation-builtin-codes-75hz"]
    assert streams.shape[1] == codes.shape[1]
    for side, rows in enumerate(sides(streams)):
        spoken = np.flatnonzero(rows[2] > -60)
        runs = np.split(spoken, np.flatnonzero(np.diff(spoken) > 1) + 1)
        wanted = [(start, end) for who, start, end in TURNS if who == side]
        assert len(runs) == len(wanted)
        for run, (start, end) in zip(runs, wanted, strict=True):
            assert abs(run[0] - start * 75) <= 1
            assert abs(run[-1] + 1 - end * 75) <= 1
            voiced = rows[0, run[0] + 3 : run[-1] - 3]
            assert np.median(voiced) == pytest.approx(F0[side], rel=0.005)


def test_the_codes_of_a_side_stand_still_while_it_is_silent(dialogue):
    codes = FAMILY.build([view()]).extract(dialogue, RATE)["conversation-builtin-codes-75hz"]
    for side, rows in enumerate(sides(codes)):
        moving = np.flatnonzero((np.diff(rows.astype(int), axis=1) != 0).any(0))
        first = min(start for who, start, _ in TURNS if who == side)
        last = max(end for who, _, end in TURNS if who == side)
        # the codec's own filters reach a few frames to either side
        inside = moving[(moving > 12) & (moving < rows.shape[1] - 14)]
        assert inside.min() >= first * 75 - 10
        assert inside.max() <= last * 75 + 10


def test_a_model_of_either_side_sees_its_own_rows_first():
    streams = np.arange(12).reshape(4, 3)
    assert np.array_equal(seen_by(0, streams), streams)
    assert np.array_equal(seen_by(1, streams), streams[[2, 3, 0, 1]])


def test_each_side_decodes_on_its_own(dialogue):
    codes = FAMILY.build([view()]).extract(dialogue, RATE)["conversation-builtin-codes-75hz"]
    codec = FAMILY.load(view())
    for side in sides(codes):
        assert codec.decode(torch.from_numpy(side.astype(np.int64))[None]).shape == (1, 1, 4 * RATE)


def test_what_is_not_a_conversation_is_refused():
    extractor = FAMILY.build([view()])
    for channels in (1, 3):
        with pytest.raises(ClipError, match="2 channels"):
            extractor.extract(np.zeros((channels, 100), np.float32), RATE)
    with pytest.raises(ConfigError, match="one channel"):
        FAMILY.describe(view(options={"codec": "encodec48"}))
    with pytest.raises(ConfigError, match="one channel"):
        FAMILY.describe(view(options={"codec": "conversation"}))


def test_the_fingerprint_follows_the_inner_codec():
    prints = {
        FAMILY.describe(view()).fingerprint,
        FAMILY.describe(view(weights="seed:1")).fingerprint,
        FAMILY.describe(view(num_codebooks=2)).fingerprint,
        registry.describe(RepresentationConfig(codec="builtin", kind="codes", weights="seed:0")).fingerprint,
    }
    assert len(prints) == 4


def test_a_words_tokens_begin_in_the_frame_in_which_it_is_said():
    words = [Word("hello", 0.41, 0.8), Word("there", 0.83, 1.2), Word("you", 2.0, 2.2)]
    stream = text_stream(words, 50)
    row = stream.tokens[0]
    assert stream.starts == (5, 10, 25)
    assert (stream.late_frames, stream.cut) == (0, 0)
    for word, start in zip(words, stream.starts, strict=True):
        ids = pairs_of_bytes(word.text)
        assert row[start : start + len(ids)].tolist() == ids
        assert row[start - 1] == END_OF_PAD
    assert set(np.delete(row, [*range(5, 8), *range(10, 13), *range(25, 27)]).tolist()) == {PAD, END_OF_PAD}
    assert int((row == END_OF_PAD).sum()) == 3


def test_a_word_waits_for_the_one_before_it_and_says_how_long():
    stream = text_stream([Word("extraordinary", 0.0, 0.3), Word("day", 0.32, 0.5)], 20)
    assert stream.starts == (0, 7)
    assert stream.late_frames == 3
    assert (stream.tokens[0, 6:8] >= FIRST_TOKEN).all()


def test_words_beyond_the_end_are_counted_as_cut():
    stream = text_stream([Word("late", 1.0, 1.4), Word("never", 9.0, 9.2)], 13)
    assert stream.starts == (12, None)
    assert stream.cut == 2


@settings(max_examples=100)
@given(word=st.text(min_size=1).filter(lambda w: "\0" not in w and w.encode("utf-8", "ignore").decode() == w))
def test_pairs_of_bytes_are_reversible_and_in_range(word):
    ids = pairs_of_bytes(word)
    assert word_of_pairs(ids) == word
    assert all(FIRST_TOKEN <= i < PAIRS_CARDINALITY for i in ids)


@settings(max_examples=100)
@given(
    gaps=st.lists(st.tuples(st.floats(0, 2), st.floats(0.05, 0.8), st.text("abcdefg", min_size=1, max_size=14))),
    num_frames=st.integers(1, 200),
)
def test_no_token_is_lost_or_out_of_order(gaps, num_frames):
    words, now = [], 0.0
    for gap, length, text in gaps:
        words.append(Word(text, now + gap, now + gap + length))
        now += gap + length
    stream = text_stream(words, num_frames)
    laid = [t for t in stream.tokens[0].tolist() if t >= FIRST_TOKEN]
    wanted = [t for w in words for t in pairs_of_bytes(w.text)]
    assert laid == wanted[: len(laid)]
    assert (stream.cut == 0) == (len(laid) == len(wanted))
    for word, start in zip(words, stream.starts, strict=True):
        if start is not None:
            assert 0 <= start - frame_of(word.start_s) <= stream.late_frames


def test_a_time_on_a_frames_edge_belongs_to_the_frame_that_begins_there():
    assert [frame_of(k * 0.08) for k in range(1000)] == list(range(1000))
    assert frame_of(0.0799) == 0


def test_a_word_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="word 0 'x'"):
        text_stream([Word("x", 2.0, 1.0)], 10)


def test_the_layout_has_text_then_own_codes_then_the_others():
    streams = np.arange(4 * 12).reshape(4, 12).astype(np.uint16)
    text = text_stream([Word("hi", 0.08, 0.2)], 2).tokens
    layout = moshi_layout(text, streams, side=1, frames_per_text_frame=6)
    assert layout.shape == (5, 12)
    assert layout[0, 6] == pairs_of_bytes("hi")[0]
    assert layout[0, 0] == END_OF_PAD
    assert not np.delete(layout[0], [0, 6]).any()
    assert np.array_equal(layout[1:3], streams[2:])
    with pytest.raises(ValueError, match="do not cover"):
        moshi_layout(text, streams, side=0)


def test_text_and_codes_of_an_overlapping_dialogue_line_up_with_the_truth(dialogue):
    said = {0: [Word("good", 0.4, 0.9), Word("morning", 0.9, 1.8), Word("bye", 3.0, 3.5)], 1: [Word("yes", 1.4, 2.6)]}
    codes = FAMILY.build([view()]).extract(dialogue, RATE)["conversation-builtin-codes-75hz"]
    energy = FAMILY.build([view("features", weights=None, options={"codec": "features"}, rate_hz=12.5)])
    (levels,) = energy.extract(dialogue, RATE).values()
    for side, words in said.items():
        text = text_stream(words, -(-codes.shape[1] // 6))
        layout = moshi_layout(text.tokens, codes, side, frames_per_text_frame=6)
        assert np.array_equal(layout[1:9], sides(codes)[side])
        for word, start in zip(words, text.starts, strict=True):
            assert start == frame_of(word.start_s)
            assert layout[0, 6 * start] == pairs_of_bytes(word.text)[0]
            # the frame in which the word stands is one in which this side is heard
            assert sides(levels)[side][2, start : start + 2].max() > -30
