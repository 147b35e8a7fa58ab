import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.curators.waveform import frame_power, peak, resample, resampled
from auricle.schemas.clip import Clip
from auricle.schemas.time import resampled_length


def tone(hz, rate, seconds=1.0):
    return np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 192000])
def test_a_tone_survives_resampling_at_its_frequency_and_level(rate):
    y = resample(tone(1000, rate), rate, 16000)
    expected = tone(1000, 16000)
    middle = slice(2000, -2000)
    assert np.abs(y[middle] - expected[middle]).max() < 2e-3


def test_what_lies_above_the_new_band_is_removed():
    y = resample(tone(11000, 48000), 48000, 16000)
    assert np.sqrt(np.mean(y[1000:-1000] ** 2)) < 10 ** (-50 / 20)


@given(st.integers(1, 4000), st.sampled_from([8000, 11025, 16000, 44100, 96000]))
def test_length_is_the_ceiling_of_the_ratio(n, rate):
    y = resample(np.zeros(n, dtype=np.float32), rate, 16000)
    assert y.shape[0] == resampled_length(n, rate, 16000)
    assert y.dtype == np.float32


def test_a_clip_is_resampled_once():
    clip = Clip("", tone(500, 8000), 8000)
    assert resampled(clip, 16000) is resampled(clip, 16000)


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=200), st.integers(1, 50))
def test_frame_powers_add_up_to_the_energy(values, size):
    x = np.array(values, dtype=np.float32)
    power = frame_power(x, size)
    counts = [len(x[i : i + size]) for i in range(0, len(x), size)]
    assert np.dot(power, counts) == pytest.approx(float(np.sum(x.astype(np.float64) ** 2)), rel=1e-9, abs=1e-30)


def test_peak_is_the_largest_magnitude_and_shows_what_is_not_finite():
    assert peak(Clip("", np.array([0.1, -0.7, 0.2], dtype=np.float32), 8000)) == pytest.approx(0.7)
    assert peak(Clip("", np.array([], dtype=np.float32), 8000)) == 0.0
    assert not np.isfinite(peak(Clip("", np.array([0.1, np.nan], dtype=np.float32), 8000)))
    assert not np.isfinite(peak(Clip("", np.array([0.1, -np.inf], dtype=np.float32), 8000)))
