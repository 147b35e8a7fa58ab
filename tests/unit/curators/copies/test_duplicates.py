import io
from functools import cache

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.copies.duplicates import DuplicatesCurator, clusters, find_duplicates
from auricle.curators.copies.fingerprint import Fingerprint, fingerprint, loudest_hops
from auricle.curators.waveform import resample
from auricle.jobs.demo.espeak import Voice, synthesise
from auricle.schemas.clip import Clip

RATE = 16000
SENTENCES = (
    "the old harbour was empty except for two small boats and a sleeping dog",
    "my sister bought a green bicycle and rode it all the way to the coast",
    "nobody had opened the windows of that house for more than thirty years",
    "the bakery sells warm bread and plum cake every saturday until noon",
)
VOICES = (Voice("en-us+f1", 158, 52), Voice("en-us+paul", 165, 42), Voice("en-us+belinda", 160, 50))


@cache
def say(text=SENTENCES[0], voice=VOICES[0]):
    samples, rate = synthesise(text, voice)
    x = resample(samples.astype(np.float32) / 32768, rate, RATE)
    x.setflags(write=False)
    return x


def prints(*waveforms):
    rows = DuplicatesCurator().score([Clip("", np.asarray(x), RATE) for x in waveforms])
    return [row["duplicate_fingerprint"] for row in rows], np.array([len(x) / RATE for x in waveforms])


def pairs(*waveforms):
    found, durations = prints(*waveforms)
    return [(i, j) for i, j, _ in find_duplicates([str(k) for k in range(len(found))], found, durations)]


def encoded(x, file_format, subtype, level):
    file = io.BytesIO()
    with soundfile.SoundFile(
        file, "w", RATE, 1, format=file_format, subtype=subtype, compression_level=level
    ) as output:
        output.write(0.7 * x)
    file.seek(0)
    y, rate = soundfile.read(file, dtype="float32")
    return resample(y, rate, RATE)


def noisy(x, snr_db, seed=0):
    noise = np.random.default_rng(seed).normal(size=len(x))
    return (x + noise * np.sqrt(np.mean(x**2) / 10 ** (snr_db / 10))).astype(np.float32)


COPIES = {
    "quieter by 40 dB": lambda x: x * 0.01,
    "inverted": lambda x: -x,
    "shifted by 137 ms": lambda x: np.concatenate([np.zeros(2192, dtype=np.float32), x]),
    "shifted by half a word's length": lambda x: np.concatenate([np.zeros(256, dtype=np.float32), x]),
    "cut by 100 ms": lambda x: x[1600:],
    "MP3": lambda x: encoded(x, "MP3", "MPEG_LAYER_III", 0.7),
    "Opus": lambda x: encoded(x, "OGG", "OPUS", 0.8),
    "Vorbis": lambda x: encoded(x, "OGG", "VORBIS", 0.8),
    "telephone": lambda x: resample(resample(x, RATE, 8000), 8000, RATE),
    "noise at 15 dB": lambda x: noisy(x, 15),
    "padded with a second of silence": lambda x: np.concatenate([x, np.zeros(RATE, dtype=np.float32)]),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_is_found_and_nothing_else(change):
    others = [say(text, voice) for text in SENTENCES for voice in VOICES]
    assert pairs(*others, COPIES[change](say())) == [(0, len(others))]


def test_the_same_sentence_by_other_voices_is_no_copy():
    assert pairs(*(say(SENTENCES[0], voice) for voice in VOICES)) == []


def test_another_take_of_the_same_sentence_by_the_same_voice_is_no_copy():
    takes = [Voice("en-us+paul", speed, pitch) for speed, pitch in ((165, 42), (165, 55), (175, 42), (150, 38))]
    assert pairs(*(say(SENTENCES[1], take) for take in takes)) == []


def test_sentences_that_differ_in_one_word_are_no_copies():
    texts = [
        f"the train to the north leaves at seven in the {when} from platform nine" for when in ("morning", "night")
    ]
    for voice in VOICES:
        assert pairs(*(say(text, voice) for text in texts)) == []


def test_noise_and_tones_are_not_copies_of_each_other():
    rng = np.random.default_rng(0)
    t = np.arange(4 * RATE) / RATE
    tones = [0.3 * np.sin(2 * np.pi * f * t).astype(np.float32) for f in (440, 880)]
    assert pairs(*tones, *(0.1 * rng.normal(size=4 * RATE).astype(np.float32) for _ in range(3))) == []


def test_the_similarity_of_equal_audio_is_one():
    found, durations = prints(say(), say())
    assert find_duplicates(["a", "b"], found, durations) == [(0, 1, 1.0)]


def test_the_order_of_the_clips_does_not_matter():
    waveforms = [say(text, voice) for text in SENTENCES for voice in VOICES] + [
        noisy(say(text), 20) for text in SENTENCES
    ]
    order = np.random.default_rng(1).permutation(len(waveforms))
    expected = {frozenset(pair) for pair in pairs(*waveforms)}
    assert len(expected) == len(SENTENCES)
    assert {frozenset(order[[i, j]]) for i, j in pairs(*(waveforms[k] for k in order))} == expected


def test_short_clips_and_missing_fingerprints_have_no_copies():
    short = say()[: int(1.9 * RATE)]
    (row,) = DuplicatesCurator().score([Clip("", short, RATE)])
    assert row["duplicate_fingerprint"] is None
    assert row["reason"].startswith("unmeasurable: shorter than 2 s")
    data = fingerprint(resample(short, RATE, 4000)).to_bytes()
    assert find_duplicates(["a", "b"], [data, data], np.array([1.9, 1.9])) == []
    assert find_duplicates(["a", "b"], [None, None], np.array([5.0, 5.0])) == []
    assert find_duplicates([], [], np.array([])) == []


def test_bytes_that_are_no_fingerprint_are_refused_by_the_clips_name():
    good, durations = prints(say(), say())
    with pytest.raises(ValueError, match="clip 'b': fingerprint of 3 bytes"):
        find_duplicates(["a", "b"], [good[0], b"abc"], durations)
    with pytest.raises(ValueError, match="format 1"):
        Fingerprint.from_bytes(good[0][:-4])


def test_more_or_fewer_fingerprints_than_names_are_refused():
    good, durations = prints(say(), say())
    for given_prints in (good[:1], [*good, good[0]]):
        with pytest.raises(ValueError, match=r"zip\(\)"):
            find_duplicates(["a", "b"], given_prints, durations)


def test_a_corpus_searched_piece_by_piece_gives_what_the_whole_gives(monkeypatch, tmp_path):
    """Ranges of keys, what waits, and pairs compared at once are about memory, not about what is found."""
    clips = [say(text, voice) for text in SENTENCES for voice in VOICES]
    found, durations = prints(*clips, *[noisy(x, 15, k) for k, x in enumerate(clips)])
    names = [str(k) for k in range(len(found))]
    whole = find_duplicates(names, found, durations)
    assert [(i, j) for i, j, _ in whole] == [(k, k + len(clips)) for k in range(len(clips))]
    small = {"RANGE": 8, "SCAN": 5, "CHUNK": 3, "BATCH": 4, "STRETCH": 50, "MOST_PENDING": 2}
    for name, value in small.items():
        monkeypatch.setattr(f"auricle.curators.copies.duplicate_proposals.{name}", value)
    monkeypatch.setattr("auricle.curators.copies.duplicates.WORDS_AT_ONCE", 100)
    assert find_duplicates(names, iter(found), durations, folder=tmp_path) == whole
    assert list(tmp_path.iterdir()) == [], "its files have no name"


def test_a_fingerprint_survives_being_written():
    made = fingerprint(resample(say(), RATE, 4000))
    read = Fingerprint.from_bytes(made.to_bytes())
    assert np.array_equal(read.words, made.words)
    assert np.array_equal(read.anchors, made.anchors)
    assert np.array_equal(read.sketches, made.sketches)
    assert len(made.to_bytes()) < 200 * len(say()) / RATE


def test_gain_changes_no_bit():
    x = resample(say(), RATE, 4000)
    assert fingerprint(x).to_bytes() == fingerprint(np.float32(2**-9) * x).to_bytes()


def test_anchors_are_local_maxima():
    power = np.random.default_rng(0).random(500)
    found = loudest_hops(power)
    assert len(found) > 3
    assert all(power[k] == power[max(k - 24, 0) : k + 25].max() for k in found)
    assert np.diff(found).min() > 24


@given(st.integers(1, 12_000), st.sampled_from([0.0, 1e-9, 1.0, 1e6]), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_any_audio_has_a_fingerprint(samples, gain, seed):
    x = (gain * np.random.default_rng(seed).normal(size=samples)).astype(np.float32)
    made = fingerprint(x)
    assert Fingerprint.from_bytes(made.to_bytes()).words.dtype == np.uint32


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_clusters_are_the_connected_components_named_by_their_smallest_clip(case):
    num, edges = case
    labels = clusters(num, [(a, b, 1.0) for a, b in edges])
    reach = np.eye(num, dtype=bool)
    for a, b in edges:
        reach[a, b] = reach[b, a] = True
    for k in range(num):
        reach |= reach[:, [k]] & reach[[k], :]
    assert labels.tolist() == reach.argmax(axis=1).tolist()
