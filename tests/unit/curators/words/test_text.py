import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.words.text import TextCurator, loop_share
from auricle.schemas.clip import Clip

RATE = 16000


def clip(text, language="en", speech_s=2.0):
    """Silence, with a detector that has already heard `speech_s` of speech."""
    made = Clip("", np.full(4 * RATE, 1e-3, dtype=np.float32), RATE, transcript=text, language=language)
    made.memo["speech_probabilities"] = np.where(np.arange(125) < round(speech_s / 0.032), 1.0, 0.0).astype("float32")
    return made


def score(text, language="en", **options):
    return TextCurator().score([clip(text, language, **options)])[0]


def test_rates_are_characters_and_words_over_seconds_of_speech():
    row = score("Hello there, how are you?", speech_s=1.6)
    assert row["chars_per_speech_s"] == pytest.approx(19 / 1.6)
    assert row["words_per_speech_s"] == pytest.approx(5 / 1.6)
    assert row["text_empty"] is False
    assert row["reason"] is None


def test_words_are_not_counted_where_they_are_not_spaced():
    row = score("明天我们和朋友一起坐火车去海边", "zh")
    assert row["chars_per_speech_s"] > 0
    assert row["words_per_speech_s"] is None
    assert row["reason"].startswith("not_applicable")


@pytest.mark.parametrize("text", ["", "   ", "...", "-- !?"])
def test_a_text_without_words_is_empty_and_the_rest_null_with_a_reason(text):
    row = score(text)
    assert row["text_empty"] is True
    assert row["chars_per_speech_s"] is None
    assert row["reason"] == "not_applicable: no words in the transcript"


def test_no_transcript_is_not_an_empty_one():
    row = score(None)
    assert row["text_empty"] is None
    assert row["reason"] == "not_applicable: no transcript"


def test_silence_leaves_what_the_text_alone_says():
    row = score("Hello there, how are you?", speech_s=0.0)
    assert row["chars_per_speech_s"] is None
    assert row["text_language"] == "en"
    assert row["reason"] == "unmeasurable: no speech to relate the text to"


@pytest.mark.parametrize(
    ("text", "claimed", "matches"),
    [
        ("She sells fresh bread and cheese at the market", "en", True),
        ("Wir gehen heute Abend mit den Kindern ins Kino", "en", False),
        ("Wir gehen heute Abend mit den Kindern ins Kino", "de", True),
        ("завтра мы поедем к морю", "en", False),
        ("hello", "de", True),
        ("Wir gehen heute Abend mit den Kindern ins Kino", "de-AT", True),
        ("東京都", "ja", True),
        ("Wir gehen heute Abend ins Kino", None, None),
        ("Wir gehen heute Abend ins Kino", "xx", None),
    ],
)
def test_the_claimed_language_is_contradicted_only_by_evidence(text, claimed, matches):
    assert score(text, claimed)["text_language_match"] is matches


@pytest.mark.parametrize(
    ("text", "machine", "sign"),
    [
        ("Thank you. Thank you. Thank you. Thank you.", 1.0, "loop"),
        ("so I went to the to the to the to the to the shop", 1.0, "loop"),
        ("[BLANK_AUDIO]", 1.0, "token"),
        ("he said <unk> to me", 1.0, "token"),
        ("SO I TOLD HIM THAT WE WOULD MEET AT THE STATION AT NOON TODAY", 0.5, "one case"),
        ("So I told him that we would meet at the station at noon today.", 0.0, ""),
        ("Yes.", 0.0, ""),
        ("no no no", 1.0, "loop"),
    ],
)
def test_signs_of_a_machine(text, machine, sign):
    row = score(text)
    assert row["text_machine"] == machine
    assert sign in row["text_machine_signs"]


@pytest.mark.parametrize(
    "text", ["Thanks for watching!", "Subtitles by the Amara.org community", "This is a LibriVox recording.", "字幕"]
)
def test_boilerplate_is_named(text):
    assert score(text)["text_boilerplate"] is True
    assert score("The train leaves at seven from platform nine.")["text_boilerplate"] is False


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), st.integers(3, 6), st.integers(0, 4))
def test_a_phrase_said_often_enough_in_a_row_is_a_loop_wherever_it_stands(phrase, times, before):
    words = [f"x{k}" for k in range(before)] + phrase * times
    assert loop_share(words) >= len(phrase) * times / len(words) - 1e-9


@given(st.lists(st.integers(), unique=True, max_size=30))
def test_words_without_repetition_are_no_loop(words):
    assert loop_share([str(word) for word in words]) == 0


@given(st.text(max_size=200), st.sampled_from(["en", "de", "zh", None, "xx", ""]))
@settings(max_examples=150, deadline=None)
def test_any_text_gives_a_row(text, language):
    (row,) = TextCurator().score([clip(text, language)])
    assert set(row) == {c.name for c in TextCurator.columns} | {"reason"}
    assert row["reason"] is None or not row["reason"].startswith("failed")


def test_the_text_is_part_of_the_inputs_and_options_of_the_fingerprint():
    assert TextCurator.inputs == ("transcript", "language")
    assert TextCurator().fingerprint != TextCurator(min_language_probability=0.9).fingerprint


def test_reading_is_fast():
    curator = TextCurator()
    text = "She sells fresh bread and cheese at the market every morning."
    curator.read(text, "en")
    start = time.process_time()
    for _ in range(500):
        curator.read(text, "en")
    # ten times slower than measured, so that a busy machine does not fail this
    assert 500 / (time.process_time() - start) > 1500
