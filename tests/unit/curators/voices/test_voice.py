import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.models import weights_sha256
from auricle.curators.training.train_voice import fit, fit_overlap, mixture
from auricle.curators.voices import voices as voices_module
from auricle.curators.voices.intonation import SAMPLE_RATE, VOICED, pitch, semitones, smoothest
from auricle.curators.voices.voice import VoiceCurator
from auricle.curators.voices.voice_embedding import (
    CEPSTRA,
    DIMENSIONS,
    WEIGHTS,
    embed,
    from_bytes,
    load_weights,
    to_bytes,
)
from auricle.curators.voices.voices import LEAST, group_voices, required
from auricle.jobs.demo.espeak import Voice, synthesise
from auricle.schemas.clip import Clip

SPEECH = Path(__file__).resolve().parents[4].parent / "shared/data/speech"
needs_speech = pytest.mark.skipif(not SPEECH.is_dir(), reason="the development recordings are not beside the checkout")


def tone(hz, seconds=2.0):
    """A sum of harmonics whose F0 follows `hz` (Hz, a number or `[T]`), at 4 kHz."""
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hz, int(seconds * SAMPLE_RATE))) / SAMPLE_RATE
    return sum(np.sin(n * phase) / n for n in range(1, 8)).astype(np.float32)


@pytest.mark.parametrize("hz", [70.0, 97.3, 150.0, 220.5, 330.0])
def test_the_pitch_of_a_tone_is_its_fundamental(hz):
    found, strength = pitch(tone(hz))
    inside = slice(2, -2)
    assert (strength[inside] > 0.95).all()
    assert found[inside] == pytest.approx(hz, rel=0.01)


def test_noise_and_silence_are_not_voiced():
    noise = np.random.default_rng(0).normal(size=8000).astype(np.float32)
    assert (pitch(noise)[1] < VOICED).mean() > 0.95
    assert (pitch(np.zeros(8000, dtype=np.float32))[1] < VOICED).all()
    assert pitch(np.zeros(0, dtype=np.float32))[0].shape == (1,)


def test_a_glide_spreads_and_a_monotone_does_not():
    glide = tone(np.geomspace(100, 200, 4 * SAMPLE_RATE), 4.0)
    spreads = [np.ptp(np.percentile(semitones(pitch(x)[0][2:-2]), (10, 90))) for x in (tone(140, 4.0), glide)]
    assert spreads[0] < 0.2
    assert spreads[1] == pytest.approx(0.8 * 12, abs=0.4)


def test_a_period_that_falls_between_two_lags_does_not_lose_to_its_double():
    """A voice of 170 Hz with a slight flutter, whose every second period is a little longer."""
    flutter = 169.5 * (1 + 0.006 * np.sin(2 * np.pi * 85 * np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE))
    found, strength = pitch(tone(flutter, 4.0))
    assert (strength[2:-2] > VOICED).all()
    assert np.ptp(np.percentile(semitones(found[2:-2]), (10, 90))) < 0.5


def test_of_candidates_as_good_the_one_near_its_neighbours_is_taken():
    rated = np.array([[0.9, 0.2], [0.80, 0.78], [0.9, 0.2]])
    octaves = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert smoothest(rated, octaves).tolist() == [0, 1, 0]
    assert smoothest(rated[:1], octaves[:1]).tolist() == [0]


@pytest.mark.parametrize("voice", ["en-us", "en-us+f2"])
def test_a_voice_told_to_be_lively_has_the_larger_spread_and_a_flat_one_hardly_any(voice):
    spreads = []
    for lively in (0, 50, 99):
        x, rate = synthesise("Nobody had seen the old boat leave the harbour.", Voice(voice, pitch_range=lively))
        (row,) = VoiceCurator().score([Clip("", (x / 32768).astype(np.float32), rate)])
        spreads.append(row["f0_spread_st"])
    assert spreads[0] < 1 < spreads[1] < spreads[2]


def test_gain_leaves_both_spreads_as_they_are_and_noise_at_15_db_hardly_moves_them():
    x, rate = synthesise("Seven letters lay on the table; one of them was open.", Voice("en-us"))
    x = (x / 32768).astype(np.float32)
    noise = np.random.default_rng(0).normal(size=len(x)).astype(np.float32) * x.std() * np.float32(10 ** (-15 / 20))
    rows = VoiceCurator().score([Clip("", y, rate) for y in (x, x * np.float32(0.01), x + noise)])
    for column, moved in (("f0_spread_st", 0.5), ("level_spread_db", 1.5)):
        assert rows[1][column] == pytest.approx(rows[0][column], abs=1e-3)
        assert rows[2][column] == pytest.approx(rows[0][column], abs=moved)


def made_up_voices(speakers=20, clips=8, seed=0):
    """Cepstra of people who differ in where their frames lie."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(0, 1, (speakers, CEPSTRA))
    names = [f"s{k}" for k in range(speakers) for _ in range(clips)]
    return [rng.normal(m, 3, (200, CEPSTRA)) for m in middles for _ in range(clips)], names


def test_a_fitted_embedding_puts_new_clips_of_a_speaker_together():
    cepstra, who = made_up_voices()
    w = fit(cepstra[::2], who[::2])
    assert w["discriminant"].shape[1] <= DIMENSIONS
    voices = np.array([embed(c, w) for c in cepstra[1::2]])
    assert np.linalg.norm(voices, axis=1) == pytest.approx(1, abs=1e-5)
    cosine = voices @ voices.T
    same = np.array([[a == b for a in who[1::2]] for b in who[1::2]])
    assert np.median(cosine[same]) > np.quantile(cosine[~same], 0.99)


def test_fitting_is_deterministic():
    cepstra, who = made_up_voices()
    first, second = fit(cepstra, who), fit(cepstra, who)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert mixture(cepstra, 0)["ubm.weight"].sum() == pytest.approx(1)


def test_the_overlap_regression_separates_what_is_separable():
    rng = np.random.default_rng(0)
    mixed = np.arange(400) % 2 == 1
    features = rng.normal(0, 1, (400, 3)) + 4 * mixed[:, None] * np.array([1, 0, 0])
    w = fit_overlap(features, mixed)
    logit = (features - w["overlap.mean"]) / w["overlap.scale"] @ w["overlap.coefficient"] + w["overlap.intercept"]
    assert ((logit > 0) == mixed).mean() > 0.95


def test_a_voice_survives_its_bytes():
    e = np.random.default_rng(0).normal(size=DIMENSIONS)
    e /= np.linalg.norm(e)
    assert from_bytes(to_bytes(e)) == pytest.approx(e, abs=1e-3)
    with pytest.raises(ValueError, match="90 are required"):
        from_bytes(b"short")


def test_the_card_names_the_weights_that_ship():
    card = json.loads(WEIGHTS.with_suffix(".json").read_text())
    assert card["weights_sha256"] == weights_sha256(WEIGHTS)
    assert WEIGHTS.stat().st_size < 200_000
    assert load_weights()["discriminant"].shape == (16 * CEPSTRA, DIMENSIONS)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 99), st.randoms())
def test_grouping_does_not_depend_on_order(count, seed, order):
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(4, DIMENSIONS))
    voices = middles[rng.integers(4, size=count)] + rng.normal(0, 0.3, (count, DIMENSIONS))
    voices /= np.linalg.norm(voices, axis=1, keepdims=True)
    keys = [f"{k:04d}" for k in range(count)]
    first = dict(zip(keys, group_voices(keys, voices), strict=True))
    shuffled = list(range(count))
    order.shuffle(shuffled)
    again = group_voices([keys[k] for k in shuffled], voices[shuffled])
    assert {keys[k]: name for k, name in zip(shuffled, again, strict=True)} == first
    assert all(first[name] == name for name in set(first.values())), "a group is called after its smallest key"


def test_clear_voices_are_grouped_and_none_is_no_trouble():
    middles = np.eye(5, DIMENSIONS, dtype=np.float32)
    names = group_voices([f"{k:02d}" for k in range(15)], np.repeat(middles, 3, axis=0))
    assert names == [f"{3 * (k // 3):02d}" for k in range(15)]
    assert group_voices([], np.zeros((0, DIMENSIONS))) == []
    many = np.random.default_rng(0).normal(size=(200, DIMENSIONS))
    assert len(set(group_voices([f"{k:03d}" for k in range(200)], many / np.linalg.norm(many, axis=1)[:, None]))) > 64


@pytest.mark.parametrize("length", [1, 100, 16000])
def test_a_clip_without_speech_has_nulls_and_a_reason(length):
    noise = 0.001 * np.random.default_rng(0).normal(size=length).astype(np.float32)
    (row,) = VoiceCurator().score([Clip("", noise, 16000)])
    assert row["reason"].startswith("unmeasurable")
    assert row["voice_embedding"] is None


@needs_speech
@pytest.mark.data
def test_readers_are_told_apart_and_two_at_once_are_noticed():
    import soundfile

    def clips(reader, count=3):
        files = sorted((SPEECH / "librispeech_test_other").glob(f"{reader}-*.flac"))[:count]
        return [Clip(f.stem, *soundfile.read(f, dtype="float32")) for f in files]

    readers = [clips("1688"), clips("2033")]
    rows = [VoiceCurator().score(batch) for batch in readers]
    voices = [[from_bytes(row["voice_embedding"]) for row in batch] for batch in rows]
    within = [float(a @ b) for batch in voices for a, b in itertools.combinations(batch, 2)]
    across = [float(a @ b) for a in voices[0] for b in voices[1]]
    assert min(within) > max(across)
    alone = max(row["overlap"] for batch in rows for row in batch)
    a, b = (batch[0].waveform for batch in readers)
    count = min(len(a), len(b))
    (both,) = VoiceCurator().score([Clip("", a[:count] + b[:count] * (a.std() / b.std()), 16000)])
    assert both["overlap"] > alone


def test_the_more_voices_there_are_the_closer_a_clip_must_be():
    assert required(0) == required(1) == LEAST
    assert LEAST < required(50) < required(1000) < required(10**6) < 1


def test_many_voices_are_not_merged_for_want_of_room():
    """A thousand voices, ten clips each: groups may fall apart, but hold few strangers."""
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(1000, DIMENSIONS))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    who = np.tile(np.arange(1000), 10)
    voices = middles[who] + rng.normal(0, 0.07, (len(who), DIMENSIONS))
    voices /= np.linalg.norm(voices, axis=1, keepdims=True)
    names = group_voices([f"{k:05d}" for k in range(len(who))], voices)
    majority = {name: np.bincount(who[[n == name for n in names]]).max() for name in set(names)}
    assert sum(majority.values()) / len(who) > 0.97


def test_beyond_the_most_groups_clips_stay_alone(monkeypatch):
    monkeypatch.setattr(voices_module, "MAX_GROUPS", 2)
    middles = np.eye(4, DIMENSIONS, dtype=np.float32)
    names = group_voices([f"{k:02d}" for k in range(8)], np.tile(middles, (2, 1)))
    assert names == ["00", "01", "02", "03", "00", "01", "06", "07"]
