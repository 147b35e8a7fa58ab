import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.signal.snr import HIGHEST_DB, LOWEST_DB, SnrCurator, gated_snr_db
from auricle.schemas.clip import Clip
from auricle.schemas.time import num_frames, resampled_length


def gated(x, rate, probabilities):
    """A clip whose speech frames are given, so that the test needs no speech."""
    clip = Clip("", np.asarray(x, dtype=np.float32), rate)
    clip.memo["speech_probabilities"] = np.asarray(probabilities, dtype=np.float32)
    return clip


def bursts(snr_db, seed=0, frames=200):
    rng = np.random.default_rng(seed)
    speech = np.arange(frames) // 25 % 2 == 0
    noise = rng.normal(0, 1e-3, frames * 512)
    signal = rng.normal(0, 1e-3 * 10 ** (snr_db / 20), frames * 512) * np.repeat(speech, 512)
    return noise + signal, speech


@pytest.mark.parametrize("snr_db", [0, 10, 20, 40])
def test_bursts_in_stationary_noise_have_the_snr_they_were_made_with(snr_db):
    x, speech = bursts(snr_db)
    row = SnrCurator().score([gated(x, 16000, speech)])[0]
    # P.56 counts 0.2 s (6 frames) after each burst of 25 frames as active
    assert row["snr_db"] == pytest.approx(snr_db - 10 * np.log10(31 / 25), abs=0.6)
    assert row["snr_method"] == "vad"


def test_where_noise_comes_and_goes_in_the_pauses_the_network_is_heard_too_and_less_the_more_pause_there_is():
    x, speech = bursts(10)
    swelling = x * np.repeat(1 + 4 * (np.arange(200) % 50 == 30), 512)
    steady, unsteady = SnrCurator().score([gated(y, 16000, speech) for y in (x, swelling)])
    assert (steady["snr_method"], unsteady["snr_method"]) == ("vad", "both")
    pauses, network = (
        SnrCurator(equal_weight_pause_s=weight_s).score([gated(swelling, 16000, speech)])[0]["snr_db"]
        for weight_s in (0, 1e9)
    )
    assert sorted((pauses, unsteady["snr_db"], network))[1] == unsteady["snr_db"]


def test_the_weight_of_pauses_has_its_first_name_on_disk_and_is_still_read_by_it():
    curator = SnrCurator(equal_weight_pause_s=2)
    assert curator.parameters["even_pause_s"] == 2
    assert "equal_weight_pause_s" not in curator.parameters
    assert SnrCurator(**curator.parameters).fingerprint == curator.fingerprint
    assert curator.fingerprint != SnrCurator().fingerprint


def test_gain_and_offset_do_not_change_it():
    x, speech = bursts(20)
    rows = SnrCurator().score([gated(y, 16000, speech) for y in (x, 100 * x, x + 0.3)])
    assert [r["snr_db"] for r in rows] == pytest.approx([rows[0]["snr_db"]] * 3, abs=0.05)


def test_a_clip_without_speech_is_unmeasurable():
    row = SnrCurator().score([gated(bursts(10)[0], 16000, np.zeros(200))])[0]
    assert row["snr_db"] is None
    assert row["reason"] == "unmeasurable: no speech"


@given(
    st.lists(st.floats(0, 1e20), min_size=2, max_size=50),
    st.integers(1, 49),
)
def test_the_gate_stays_within_its_range(power, cut):
    pause = np.arange(len(power)) >= min(cut, len(power) - 1)
    assert LOWEST_DB <= gated_snr_db(np.array(power), pause) <= HIGHEST_DB


@pytest.mark.parametrize("snr_db", [10, 20])
def test_without_pauses_the_network_answers_and_says_so(snr_db):
    rng = np.random.default_rng(0)
    t = np.arange(48000) / 16000
    voice = sum(np.sin(2 * np.pi * 120 * k * t + k) / k for k in range(1, 25)) * (1 + 0.9 * np.sin(2 * np.pi * 4 * t))
    noise = rng.normal(0, 1, t.size) * voice.std() * 10 ** (-snr_db / 20)
    row = SnrCurator().score([gated(0.1 * (voice + noise), 16000, np.full(94, 0.95))])[0]
    assert row["snr_method"] == "network"
    assert LOWEST_DB <= row["snr_db"] <= HIGHEST_DB


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 20000), st.sampled_from([8000, 16000, 48000, 192000]), st.floats(-11, 11), st.booleans())
def test_any_clip_has_a_number_with_its_method_or_a_reason(length, rate, exponent, speech):
    x = np.random.default_rng(length).normal(0, 10**exponent, length)
    frames = num_frames(resampled_length(length, rate, 16000), 512)
    row = SnrCurator().score([gated(x, rate, np.full(frames, float(speech)))])[0]
    assert (row["snr_db"] is None) == (row["snr_method"] is None) == (row["reason"] is not None)
    assert not (row["reason"] or "").startswith("failed")
