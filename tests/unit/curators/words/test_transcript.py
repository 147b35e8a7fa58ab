import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.waveform import resample
from auricle.curators.words.aligner import Alignment, align, listen
from auricle.curators.words.transcript import (
    FEATURES,
    WEIGHTS,
    TranscriptCurator,
    evidence,
    fits,
    trust,
    word_fit,
    word_times,
)
from auricle.jobs.demo.espeak import Voice, synthesise
from auricle.schemas.clip import Clip

RATE = 16000
SPEECH = Path(__file__).resolve().parents[4].parent / "shared/data/speech"
needs_speech = pytest.mark.skipif(not SPEECH.is_dir(), reason="the development recordings are not beside the checkout")
TEXT = "the old harbour was empty except for two small boats"
OTHER = "my sister bought a green bicycle and rode it to school"


@cache
def say(text=TEXT, voice=None):
    samples, rate = synthesise(text, voice or Voice("en-us+f1", 158, 52))
    x = resample(samples.astype(np.float32) / 32768, rate, RATE)
    x.setflags(write=False)
    return x


def score(text, x=None, language="en", **options):
    return TranscriptCurator(**options).score(
        [Clip("", say() if x is None else x, RATE, transcript=text, language=language)]
    )[0]


@pytest.mark.parametrize("mode", ["full", "lite"])
def test_the_right_text_is_trusted_and_wrong_ones_are_not(mode):
    right = score(TEXT, mode=mode)
    assert right["transcript_trust"] > 0.7
    assert right["align_ok"] is True
    assert right["reason"] is None
    for wrong in (
        OTHER,
        "the old harbour was empty",
        f"{TEXT} and nobody came to see them leave",
        "der alte Hafen war leer bis auf zwei kleine Boote",
        "le vieux port était vide sauf deux petits bateaux",
    ):
        assert score(wrong, mode=mode)["transcript_trust"] < 0.3, wrong


@pytest.mark.parametrize("text", ["старый порт был пуст", "旧港是空的", TEXT * 20, "x " * 5000])
def test_english_claimed_for_what_cannot_be_said_in_the_clip_has_no_trust(text):
    row = score(text)
    assert row["transcript_trust"] == 0
    assert row["align_ok"] is False
    assert row["reason"].startswith("unmeasurable: the words do not fit")


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        (None, "en", "not_applicable: no transcript"),
        ("", "en", "not_applicable: no transcript"),
        ("...", "en", "not_applicable: no words"),
        (TEXT, "de", "not_applicable: trust is measured for English, the language is 'de'"),
        (TEXT, None, "not_applicable: trust is measured for English, the language is unknown"),
    ],
)
def test_what_has_no_trust_is_null_not_low(text, language, reason):
    row = score(text, language=language)
    assert row["transcript_trust"] is None
    assert row["reason"].startswith(reason)


@pytest.mark.parametrize("language", ["en", "en-GB", "EN-us"])
def test_every_english_is_english(language):
    assert score(TEXT, language=language)["transcript_trust"] > 0.7


def test_silence_and_noise_are_unmeasurable():
    assert score(TEXT, np.zeros(2 * RATE, dtype=np.float32))["reason"] == "unmeasurable: no speech"
    noise = 0.1 * np.random.default_rng(0).normal(size=2 * RATE).astype(np.float32)
    assert score(TEXT, noise)["reason"] == "unmeasurable: no speech"


def test_long_clips_are_for_the_segmentation():
    assert score(TEXT, np.resize(say(), 121 * RATE))["reason"].startswith("unmeasurable: longer than 120 s")


@pytest.mark.parametrize("gain_db", [-50, -20, 20])
def test_gain_does_not_change_trust(gain_db):
    changed = say() * np.float32(10 ** (gain_db / 20))
    assert score(TEXT, changed)["transcript_trust"] == pytest.approx(score(TEXT)["transcript_trust"], abs=0.02)


def test_a_band_that_resampling_left_empty_does_not_change_the_verdict():
    narrow = resample(resample(say(), RATE, 8000), 8000, RATE)
    assert score(TEXT, narrow)["transcript_trust"] > 0.5
    assert score(OTHER, narrow)["transcript_trust"] < 0.3


def test_writing_does_not_matter():
    spoken = score("mister smith paid twenty dollars", say("mister smith paid twenty dollars"))
    written = score("Mr. Smith paid $20!", say("mister smith paid twenty dollars"))
    assert written["transcript_trust"] == spoken["transcript_trust"] > 0.5


def test_unknown_words_are_counted_and_pronounced_by_rule():
    row = score("the old harbour was empty except for two small qwzx boats")
    assert row["oov_ratio"] == pytest.approx(1 / 11)
    assert score(TEXT)["oov_ratio"] == 0


def test_scores_are_the_same_every_time_and_in_any_batch():
    clips = [Clip("", say(), RATE, transcript=text, language="en") for text in (TEXT, OTHER)]
    together = TranscriptCurator().score(clips)
    assert together == [score(TEXT), score(OTHER)]


def test_the_fingerprint_is_over_mode_and_weights():
    assert TranscriptCurator().fingerprint == TranscriptCurator(mode="full").fingerprint
    assert TranscriptCurator().fingerprint != TranscriptCurator(mode="lite").fingerprint
    assert len(TranscriptCurator().fingerprint) == 32


def test_the_weights_say_what_they_come_from():
    document = json.loads(WEIGHTS.read_text())
    assert set(document["modes"]) == {"full", "lite"}
    assert document["speakers"] >= 20
    for mode in document["modes"].values():
        assert set(mode["coefficient"]) == set(mode["mean"]) == set(mode["scale"]) == set(FEATURES)


def test_trust_is_the_logistic_of_its_features_and_bounded_by_their_limits():
    model = {"intercept": 0.5, "coefficient": dict.fromkeys(FEATURES, 0.0), "mean": {}, "scale": {}}
    model |= {"mean": dict.fromkeys(FEATURES, 1.0), "scale": dict.fromkeys(FEATURES, 2.0)}
    model["coefficient"]["fit"] = 1.0
    found = dict.fromkeys(FEATURES, 1.0)
    assert trust(found | {"fit": 2.0}, model) == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert trust(found | {"fit": 1e9}, model) == pytest.approx(1 / (1 + np.exp(-4.5)))


def made(word, lengths, nats):
    edges = np.concatenate([[0], np.cumsum(lengths)])
    return Alignment(np.array(word), edges[:-1], edges[1:], np.array(nats, dtype=np.float64))


def test_fits_are_means_per_frame():
    alignment = made([-1, 0, 0, 1, -1], [10, 4, 6, 10, 5], [-20.0, -4.0, -6.0, -40.0, -5.0])
    fit, with_pauses, _ = fits(alignment)
    assert fit == pytest.approx(-50 / 20)
    assert with_pauses == pytest.approx(-75 / 35)
    per_word, frames = word_fit(alignment)
    assert per_word.tolist() == [-1.0, -4.0]
    assert frames.tolist() == [10, 10]


def test_speech_that_the_text_leaves_out_is_seen():
    alignment = made([0, -1], [32, 320], [-32.0, -320.0])
    heard = np.ones(110)
    found = evidence(["word"], alignment, alignment, heard)
    assert found["speech_in_pauses"] == pytest.approx(320 / 352)
    assert found["longest_speech_in_pause"] == pytest.approx(np.log1p(32))
    assert evidence(["word"], alignment, alignment, np.zeros(110))["speech_in_pauses"] == 0
    assert found["fit_to_rival"] == 1


@given(st.text(max_size=80))
@settings(max_examples=25, deadline=None)
def test_any_text_gives_a_row(text):
    row = score(text)
    assert row["reason"] is None or row["reason"].split(":")[0] in ("not_applicable", "unmeasurable")
    assert row["transcript_trust"] is None or 0 <= row["transcript_trust"] <= 1


@pytest.mark.parametrize("samples", [1, 2, 409, 411, 1600])
def test_the_shortest_clips_give_a_row(samples):
    row = score("a", say()[5000 : 5000 + samples])
    assert row["reason"] is None or not row["reason"].startswith("failed")


@needs_speech
@pytest.mark.data
def test_the_alignment_agrees_with_pocketsphinx_where_that_one_succeeds():
    """Word starts of pocketsphinx's own second pass, padded so that it does not fail, within 50 ms for most words."""
    import soundfile
    from pocketsphinx import Decoder

    words = "and mister john dashwood had then leisure to consider how much there might be prudently in his power"
    words += " to do for them"
    path = sorted((SPEECH / "pocketsphinx_librivox").glob("*0870.wav"))[0]
    x, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    aligned = align(listen(x), words.split())
    assert aligned is not None
    ours = [int(aligned[0].start[aligned[0].word == k][0]) for k in range(len(words.split()))]
    decoder = Decoder(lm=None, loglevel="FATAL")
    pad = np.round(np.random.default_rng(0).normal(0, 8, 4800)).astype("<i2")
    pcm = np.concatenate([pad, np.round(x * 16384).astype("<i2"), pad]).tobytes()
    decoder.set_align_text(words)
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    theirs = [s.start_frame - 30 for s in decoder.seg() if not s.word.startswith(("<", "["))]
    assert len(theirs) == len(ours)
    assert np.median(np.abs(np.array(ours) - theirs)) <= 2
    assert np.mean(np.abs(np.array(ours) - theirs) <= 5) >= 0.8


def test_words_are_said_where_the_times_say():
    """Words spoken one by one and laid half a second apart; a trained aligner's edges are off by some hundredths."""
    words, pieces, truth, at = TEXT.split(), [], [], 0
    for word in words:
        spoken = say(word)
        loud = np.flatnonzero(np.abs(spoken) > 0.02)
        truth.append(((at + loud[0]) / RATE, (at + loud[-1]) / RATE))
        pieces += [spoken, np.zeros(RATE // 2, np.float32)]
        at += len(spoken) + RATE // 2
    row = score(TEXT, np.concatenate(pieces))
    found = json.loads(row["word_times"])
    assert [word for word, _, _ in found] == words
    for (word, start, end), (began, ended) in zip(found, truth, strict=True):
        assert abs(start - began) <= 0.08, word
        assert abs(end - ended) <= 0.12, word


def test_word_times_leave_out_words_that_nobody_can_pronounce_and_pauses():
    own = Alignment(
        word=np.array([-1, 0, 0, -1, 2]),
        start=np.array([0, 10, 15, 22, 30]),
        end=np.array([10, 15, 22, 30, 41]),
        nats=np.zeros(5),
    )
    assert json.loads(word_times(["two", "ъ", "words"], own)) == [["two", 0.108, 0.228], ["words", 0.308, 0.418]]


def test_a_text_that_does_not_fit_has_no_times():
    assert score(" ".join([TEXT] * 20))["word_times"] is None
