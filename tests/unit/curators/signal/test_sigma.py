"""How far a score may be off: what must make it larger, and what must not change it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.signal.learned import acoustics
from auricle.curators.signal.quality import QualityCurator
from auricle.curators.signal.reverb import ReverbCurator
from auricle.curators.signal.sigma import (
    ACOUSTIC_FEATURES,
    ACOUSTIC_WEIGHTS,
    C50_LEAST_DB,
    FEATURES,
    LEAST_DB,
    MOST_DB,
    QUALITY_LEAST,
    QUALITY_MOST,
    WEIGHTS,
    acoustic_evidence,
    c50_sigma_db,
    distance,
    quality_sigma,
    sigma_db,
)
from auricle.curators.signal.snr import SnrCurator
from auricle.jobs.demo.espeak import Voice, synthesise
from auricle.schemas.clip import Clip


def spoken(pause_s: float, gain: float = 1.0) -> Clip:
    """A made voice in steady noise 15 dB below it, with so much silence before and after."""
    voice, rate = synthesise("the boats came back before the rain and nobody was late", Voice("en-us"))
    quiet = np.zeros(int(pause_s * rate), dtype=np.float32)
    x = np.concatenate([quiet, voice.astype(np.float32) / 32768, quiet])
    level = np.sqrt(np.mean((voice / 32768.0) ** 2)) * 10 ** (-15 / 20)
    noise = np.random.default_rng(0).normal(0, level, x.size).astype(np.float32)
    return Clip("", np.float32(gain) * (x + noise), rate)


def test_noise_heard_in_long_steady_pauses_is_surer_than_noise_guessed_under_speech() -> None:
    long, none = SnrCurator().score([spoken(2.0), spoken(0.0)])
    assert long["snr_method"] == "vad"
    assert long["snr_sigma_db"] < none["snr_sigma_db"]


def test_gain_does_not_change_it() -> None:
    rows = SnrCurator().score([spoken(1.0), spoken(1.0, gain=0.1)])
    assert rows[0]["snr_sigma_db"] == pytest.approx(rows[1]["snr_sigma_db"], rel=0.05)


def test_a_clip_without_an_snr_has_no_error_either() -> None:
    (row,) = SnrCurator().score([Clip("", np.zeros(16000, dtype=np.float32), 16000)])
    assert row["snr_db"] is None
    assert row["snr_sigma_db"] is None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=len(FEATURES), max_size=len(FEATURES)))
def test_it_stays_in_its_range_whatever_the_evidence(x: list[float]) -> None:
    assert LEAST_DB <= sigma_db(np.array(x)) <= MOST_DB


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=len(ACOUSTIC_FEATURES), max_size=len(ACOUSTIC_FEATURES)))
def test_those_of_the_network_stay_in_theirs(x: list[float]) -> None:
    assert C50_LEAST_DB <= c50_sigma_db(np.array(x)) <= MOST_DB
    assert QUALITY_LEAST <= quality_sigma(np.array(x)) <= QUALITY_MOST


def test_room_and_quality_have_a_deviation_which_gain_does_not_change() -> None:
    for kind, sigma in ((ReverbCurator, "c50_sigma_db"), (QualityCurator, "speech_quality_sigma")):
        loud, quiet = kind().score([spoken(1.0), spoken(1.0, gain=0.1)])
        assert loud[sigma] > 0
        assert quiet[sigma] == pytest.approx(loud[sigma], rel=0.1)


def test_pieces_of_the_clip_are_heard_on_their_own_and_silent_ones_are_left_out() -> None:
    heard = acoustics(spoken(0.0))
    assert heard.pieces.shape == (4, 2)
    assert np.isfinite(heard.pieces).all()
    assert 1 <= acoustics(spoken(6.0)).pieces.shape[0] < 4
    clip = spoken(1.0)
    evidence = acoustic_evidence(acoustics(clip), clip.memo["speech_probabilities"])
    assert evidence.shape == (len(ACOUSTIC_FEATURES),)


def test_values_far_from_those_of_training_are_told_from_near_ones() -> None:
    mean, spread = np.zeros(64), np.ones(64)
    near, far = distance(np.stack([np.full(64, 0.5), np.full(64, 5.0)]), mean, spread)
    assert near < 0 < far


def test_the_weights_name_the_features_that_they_were_fitted_on() -> None:
    card = json.loads(WEIGHTS.read_text())
    assert tuple(card["features"]) == FEATURES
    assert len(card["weights"]["mean"]) == len(FEATURES)
    card = json.loads(ACOUSTIC_WEIGHTS.read_text())
    assert tuple(card["features"]) == ACOUSTIC_FEATURES
    assert {len(card[score]["mean"]) for score in ("c50_db", "speech_quality")} == {len(ACOUSTIC_FEATURES)}
