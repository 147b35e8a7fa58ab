"""Acoustic features against closed forms: tones, glides, steps, bursts; and their place on the time axis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.extractors.coding import registry
from auricle.extractors.features.features import (
    FAMILY,
    RATES_HZ,
    ROWS,
    centroid_hz,
    energy_db,
    features,
    flux,
    speaking_rate_hz,
)
from auricle.extractors.features.pitch import pitch
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import ClipError, ConfigError
from auricle.schemas.time import num_frames, resampled_length

RATE = 24_000
F0, VOICING, ENERGY, FLUX, CENTROID, SPEAKING = range(6)


def harmonics(f0: np.ndarray, count: int = 8) -> np.ndarray:
    """Buzz whose instantaneous frequency is `f0` `[T]` Hz, amplitudes falling as 1/k."""
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    return (0.1 * sum(np.sin(k * phase) / k for k in range(1, count + 1))).astype(np.float32)


def cents(measured: np.ndarray, true: np.ndarray) -> np.ndarray:
    return 1200 * np.abs(np.log2(measured / true))


def inner(values: np.ndarray, edge: int = 4) -> np.ndarray:
    return values[edge:-edge]


@settings(max_examples=30, deadline=None)
@given(f0=st.floats(70, 480), count=st.sampled_from([1, 2, 8]), frame_size=st.sampled_from([320, 480, 960, 1920]))
def test_the_pitch_of_a_steady_tone_is_within_three_cents(f0, count, frame_size):
    audio = harmonics(np.full(RATE * 2, f0), count)
    measured, voicing = pitch(audio, frame_size)
    assert cents(inner(measured), f0).max() < 3
    assert inner(voicing).min() > 0.95


@pytest.mark.parametrize("octaves_per_s", [-1.0, -0.5, 0.5, 1.0])
def test_the_pitch_of_a_glide_is_that_of_the_frames_middle_within_ten_cents(octaves_per_s):
    time = np.arange(RATE * 2) / RATE
    f0 = 170 * 2 ** (octaves_per_s * (time - 1))
    measured, _ = pitch(harmonics(f0), 320)
    middles = np.arange(len(measured)) * 320 + 160
    voiced = slice(4, -4)
    error = cents(measured[voiced], f0[middles[voiced]])
    assert error.max() < 10


def test_the_pitch_survives_noise_at_ten_decibels():
    rng = np.random.default_rng(0)
    clean = harmonics(np.full(RATE * 2, 131.0))
    noise = rng.standard_normal(len(clean)) * np.sqrt(np.mean(clean**2) / 10)
    measured, _ = pitch((clean + noise).astype(np.float32), 320)
    assert (inner(measured) > 0).mean() > 0.98
    assert np.median(cents(inner(measured)[inner(measured) > 0], 131.0)) < 5


def test_noise_and_silence_are_unvoiced():
    rng = np.random.default_rng(1)
    measured, voicing = pitch((0.1 * rng.standard_normal(RATE * 2)).astype(np.float32), 320)
    assert (measured > 0).mean() < 0.02
    assert voicing.mean() < 0.5
    measured, voicing = pitch(np.zeros(RATE, np.float32), 320)
    assert not measured.any()
    assert not voicing.any()


@pytest.mark.parametrize("amplitude", [0.001, 0.1, 0.9])
def test_the_energy_of_a_sine_is_its_amplitude_less_three_decibels(amplitude):
    audio = (amplitude * np.sin(2 * np.pi * 375 * np.arange(RATE) / RATE)).astype(np.float32)
    np.testing.assert_allclose(energy_db(audio, 320), 20 * np.log10(amplitude / np.sqrt(2)), atol=1e-4)


def test_the_last_short_frame_is_not_diluted_and_silence_has_a_floor():
    assert energy_db(np.full(330, 0.5, np.float32), 320)[1] == pytest.approx(20 * np.log10(0.5), abs=1e-6)
    assert energy_db(np.zeros(10, np.float32), 320)[0] == -120


@settings(max_examples=20, deadline=None)
@given(tone_hz=st.floats(200, 10_000))
def test_the_centroid_of_a_tone_is_the_tone(tone_hz):
    audio = (0.3 * np.sin(2 * np.pi * tone_hz * np.arange(RATE // 2) / RATE)).astype(np.float32)
    assert inner(centroid_hz(audio, 320)) == pytest.approx(tone_hz, abs=2.0)


def test_the_centroid_of_two_tones_is_their_power_weighted_mean():
    time = np.arange(RATE // 2) / RATE
    audio = (0.2 * np.sin(2 * np.pi * 1000 * time) + 0.1 * np.sin(2 * np.pi * 4000 * time)).astype(np.float32)
    assert inner(centroid_hz(audio, 320)) == pytest.approx((4 * 1000 + 1 * 4000) / 5, rel=0.005)


def test_the_flux_of_a_steady_tone_is_nothing_and_of_an_onset_nearly_everything():
    audio = (0.3 * np.sin(2 * np.pi * 1500 * np.arange(RATE) / RATE)).astype(np.float32)
    assert inner(flux(audio, 320)).max() < 1e-3
    onset = 30 * 320 + 160
    audio[:onset] = 0
    change = inner(flux(audio, 320))
    assert change.max() > 0.8
    assert not flux(np.zeros(RATE, np.float32), 320).any()


@pytest.mark.parametrize("growth_db_per_frame", [1.0, 6.0])
def test_the_flux_of_a_steadily_growing_tone_is_the_share_by_which_it_grows(growth_db_per_frame):
    samples = np.arange(RATE // 4)
    growth = 10 ** (growth_db_per_frame / 20 * (samples / 320 - 18))
    change = flux((0.5 * np.sin(2 * np.pi * 1500 * samples / RATE) * growth).astype(np.float32), 320)
    assert change[13:-3] == pytest.approx(1 - 10 ** (-growth_db_per_frame / 20), abs=0.01)


@pytest.mark.parametrize("syllables_hz", [2.5, 4.0, 6.0])
def test_the_speaking_rate_of_a_pulsing_voice_is_its_pulse_rate(syllables_hz):
    time = np.arange(RATE * 6) / RATE
    swell = (0.5 - 0.49 * np.cos(2 * np.pi * syllables_hz * time)) ** 2
    audio = (harmonics(np.full(len(time), 140.0)) * swell).astype(np.float32)
    rate = speaking_rate_hz(audio, 320)
    assert rate[75:-75] == pytest.approx(syllables_hz, rel=0.1)
    assert not speaking_rate_hz(np.zeros(RATE, np.float32), 320).any()


@pytest.mark.parametrize("rate_hz", list(RATES_HZ))
def test_a_planted_onset_shows_in_its_own_frame(rate_hz):
    frame_size = RATES_HZ[rate_hz]
    for onset in (RATE, RATE + 1000, RATE + 5000):
        audio = np.zeros(3 * RATE, np.float32)
        tone = harmonics(np.full(frame_size * 6, 180.0))
        audio[onset : onset + len(tone)] = tone
        out = features(audio, frame_size)
        first, last = onset // frame_size, (onset + len(tone)) // frame_size
        loud = np.flatnonzero(out[ENERGY] > -60)
        voiced = np.flatnonzero(out[F0] > 0)
        assert abs(int(loud[0]) - first) <= 1
        assert abs(int(loud[-1]) - last) <= 1
        reach = 1 if frame_size >= 960 else 3
        assert abs(int(voiced[0]) - first) <= reach
        # flux is a look at 21 ms around the centre: long frames may step over the onset
        if frame_size <= 480:
            assert abs(int(out[FLUX].argmax()) - first) <= 1


def test_planted_clicks_fall_into_the_same_frame_as_the_codecs_latents_move():
    (codec,) = registry.build([RepresentationConfig(codec="builtin", kind="latents", weights="seed:0")])
    (measure,) = registry.build([RepresentationConfig(codec="features", kind="features")])
    quiet = np.zeros((1, RATE), np.float32)
    for frame in (20, 37, 55):
        audio = quiet.copy()
        audio[0, frame * 320 + 150 : frame * 320 + 170] = 0.9
        moved = codec.extract(audio, RATE)["builtin-latents-75hz"] - codec.extract(quiet, RATE)["builtin-latents-75hz"]
        loudest = measure.extract(audio, RATE)["features-75hz"][ENERGY].argmax()
        assert abs(int(np.abs(moved).sum(0).argmax()) - int(loudest)) <= 1
        assert loudest == frame


@settings(max_examples=15, deadline=None)
@given(num_samples=st.integers(1, 3000), sample_rate=st.sampled_from([8000, 16000, 24000, 44100]))
def test_any_length_and_rate_gives_one_finite_column_per_frame(num_samples, sample_rate):
    config = RepresentationConfig(codec="features", kind="features", dtype="float16")
    spec = FAMILY.describe(config)
    audio = np.random.default_rng(num_samples).normal(size=(1, num_samples)).astype(np.float32)
    out = FAMILY.build([config]).extract(audio, sample_rate)[spec.name]
    frames = num_frames(resampled_length(num_samples, sample_rate, RATE), 320)
    assert out.shape == (len(ROWS), frames)
    assert out.dtype == np.float16
    assert np.isfinite(out).all()


def test_a_view_is_named_and_what_cannot_be_is_refused():
    spec = FAMILY.describe(RepresentationConfig(codec="features", kind="features", rate_hz=12.5))
    assert (spec.name, spec.rows, spec.frame_size, spec.cardinality) == ("features-12.5hz", 6, 1920, None)
    for config, words in (
        ({"kind": "codes"}, "features"),
        ({"kind": "features", "rate_hz": 60}, "75, 50, 25, 12.5"),
        ({"kind": "features", "weights": "x"}, "without a model"),
        ({"kind": "features", "options": {"window": 3}}, "window"),
        ({"kind": "features", "mode": "bf16"}, "exact"),
    ):
        with pytest.raises(ConfigError, match=words):
            FAMILY.describe(RepresentationConfig(codec="features", **config))
    extractor = FAMILY.build([RepresentationConfig(codec="features", kind="features")])
    with pytest.raises(ClipError, match="NaN"):
        extractor.extract(np.full((1, 9), np.nan, np.float32), 16000)
