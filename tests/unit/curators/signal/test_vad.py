from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.signal.vad import (
    FRAME_SIZE,
    VadCurator,
    conditioned,
    pauses,
    speech_mask,
    speech_probabilities,
    speech_seconds,
)
from auricle.schemas.clip import Clip

SPEECH = Path(__file__).resolve().parents[4].parent / "shared/data/speech/librispeech_test_other"
needs_speech = pytest.mark.skipif(not SPEECH.is_dir(), reason="the development recordings are not beside the checkout")


def speech(number=0):
    import soundfile

    return soundfile.read(sorted(SPEECH.glob("*.flac"))[number], dtype="float32")


@needs_speech
def test_probabilities_equal_the_packages_own_runner_after_the_same_room(recwarn):
    from silero_vad.sequence_vad import SileroVADSequence

    from auricle.curators.models import package_file
    from auricle.curators.signal.vad import PREFIX_FRAMES, _gain, _quiet_room

    x, rate = speech()
    clip = Clip("", x, rate)
    ours, x = speech_probabilities(clip), conditioned(clip)
    runner = SileroVADSequence(str(package_file("silero_vad", "data", "silero_vad_16k_sequence.onnx")))
    room = _quiet_room()
    heard = np.concatenate([room, x * np.float32(_gain(x))])
    theirs = runner.audio_forward(heard)[PREFIX_FRAMES:]
    assert ours.shape == theirs.shape == (-(-x.size // FRAME_SIZE),)
    assert np.abs(ours - theirs).max() < 1e-5


@needs_speech
@pytest.mark.parametrize("gain_db", [-60, -40, 20])
def test_gain_does_not_change_decisions(gain_db):
    x, rate = speech(1)
    louder = x * np.float32(10 ** (gain_db / 20))
    assert np.mean(speech_mask(Clip("", x, rate)) == speech_mask(Clip("", louder, rate))) > 0.995


@needs_speech
def test_an_offset_does_not_change_decisions():
    x, rate = speech(1)
    assert np.mean(speech_mask(Clip("", x, rate)) == speech_mask(Clip("", x + np.float32(0.3), rate))) > 0.99


@needs_speech
def test_times_add_up_to_the_duration():
    x, rate = speech(2)
    row = VadCurator().score([Clip("", x, rate)])[0]
    assert row["speech_s"] + row["nonspeech_s"] == pytest.approx(x.size / rate)
    assert row["speech_ratio"] == pytest.approx(row["speech_s"] / (x.size / rate))
    assert 0.3 < row["speech_ratio"] <= 1


def test_noise_and_silence_hold_no_speech():
    noise = np.random.default_rng(0).normal(0, 0.1, 64000).astype(np.float32)
    for x in (noise, np.zeros(64000, dtype=np.float32)):
        row = VadCurator().score([Clip("", x, 16000)])[0]
        assert row["speech_ratio"] < 0.05
        assert row["reason"] is None


def test_one_pass_serves_all_who_ask():
    clip = Clip("", np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32), 16000)
    assert speech_probabilities(clip) is speech_probabilities(clip)


def test_blocks_change_no_probability(monkeypatch):
    x = np.random.default_rng(0).normal(0, 0.1, 40000).astype(np.float32)
    whole = speech_probabilities(Clip("", x, 16000))
    monkeypatch.setattr("auricle.curators.signal.vad.BLOCK_FRAMES", 7)
    assert np.abs(speech_probabilities(Clip("", x, 16000)) - whole).max() < 1e-5


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 3000),
    st.sampled_from([4000, 8000, 16000, 44100, 192000]),
    st.floats(-11, 11),
    st.integers(0, 1000),
)
def test_any_length_rate_and_level_has_times(length, rate, exponent, seed):
    x = np.random.default_rng(seed).normal(0, 10**exponent, length).astype(np.float32)
    clip = Clip("", x, rate)
    row = VadCurator().score([clip])[0]
    assert row["reason"] is None
    assert 0 <= row["speech_s"] <= clip.duration_s
    assert speech_seconds(clip) <= clip.duration_s


def test_pauses_keep_away_from_speech():
    probabilities = np.zeros(40)
    probabilities[20] = 1
    assert np.flatnonzero(~pauses(probabilities, 0.5, guard=2)).tolist() == [18, 19, 20, 21, 22]
    assert pauses(np.zeros(3), 0.5, guard=2).tolist() == [True] * 3


@needs_speech
def test_the_detectors_features_come_with_its_decisions():
    from auricle.curators.signal.vad import NUM_FEATURES, speech_features

    x, rate = speech()
    clip = Clip("", x, rate)
    features, probabilities = speech_features(clip), speech_probabilities(clip)
    assert features.shape == (probabilities.size, NUM_FEATURES)
    assert np.isfinite(features).all()
    assert np.ptp(features.astype(float), axis=0).mean() > 0.1
    speech_frames = probabilities >= 0.5
    apart = features[speech_frames].mean(axis=0, dtype=float) - features[~speech_frames].mean(axis=0, dtype=float)
    assert np.abs(apart).max() > 0.3


def test_silence_has_features_too():
    from auricle.curators.signal.vad import speech_features

    assert not speech_features(Clip("", np.zeros(5000, dtype=np.float32), 16000)).any()
