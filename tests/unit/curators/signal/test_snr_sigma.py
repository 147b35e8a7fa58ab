"""How far an SNR may be off: what must make it larger, and what must not change it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.signal.snr import SnrCurator
from auricle.curators.signal.snr_sigma import FEATURES, LEAST_DB, MOST_DB, WEIGHTS, sigma_db
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


def test_the_weights_name_the_features_that_they_were_fitted_on() -> None:
    card = json.loads(WEIGHTS.read_text())
    assert tuple(card["features"]) == FEATURES
    assert len(card["weights"]["mean"]) == len(FEATURES)
