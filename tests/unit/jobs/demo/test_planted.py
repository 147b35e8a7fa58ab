"""The damage is as large as its truth says."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.jobs.demo.planted import Defect, Planted, Truth, active_power, babble, noise, overdrive, resample

RATE = 16000


def _bursts(amplitude: float, on_s: float, off_s: float, count: int) -> np.ndarray:
    """Tone bursts with silence after each; the frequency shares no period with the rate."""
    tone = amplitude * np.sin(2 * np.pi * 503.7 * np.arange(round(on_s * RATE)) / RATE)
    return np.concatenate([np.concatenate([tone, np.zeros(round(off_s * RATE))]) for _ in range(count)])


def test_active_power_of_bursts_is_their_power_spread_over_burst_and_hangover():
    # P.56 counts 200 ms after each burst as active, and the envelope needs a moment to rise and to fall
    x = _bursts(0.5, on_s=1.0, off_s=1.0, count=4)
    expected = 0.125 * 1.0 / 1.2
    assert 10 * math.log10(active_power(x, RATE) / expected) == pytest.approx(0, abs=0.4)


def test_active_power_of_a_steady_tone_is_its_mean_power():
    x = _bursts(0.5, on_s=3.0, off_s=0.0, count=1)
    assert 10 * math.log10(active_power(x, RATE) / 0.125) == pytest.approx(0, abs=0.2)


def test_silence_around_speech_does_not_change_its_active_power():
    x = _bursts(0.2, on_s=0.6, off_s=0.5, count=3)
    padded = np.concatenate([np.zeros(3 * RATE), x, np.zeros(5 * RATE)])
    assert 10 * math.log10(active_power(padded, RATE) / active_power(x, RATE)) == pytest.approx(0, abs=0.4)


@given(st.floats(-40, 0))
def test_active_power_follows_the_gain(gain_db):
    x = _bursts(0.9, on_s=0.5, off_s=0.4, count=2)
    scaled = x * 10 ** (gain_db / 20)
    assert 10 * math.log10(active_power(scaled, RATE) / active_power(x, RATE)) == pytest.approx(gain_db, abs=0.1)


def test_silence_has_no_active_power():
    assert active_power(np.zeros(1000), RATE) == 0.0


@pytest.mark.parametrize(("kind", "slope"), [("white", 0.0), ("pink", -1.0)])
def test_noise_has_unit_power_and_its_slope(kind, slope):
    x = noise(kind, 100_003, np.random.default_rng(0))
    assert np.mean(x**2) == pytest.approx(1.0)
    power = np.abs(np.fft.rfft(x)) ** 2
    edges = np.geomspace(100, 40_000, 12).astype(int)
    level = np.array([np.mean(power[a:b]) for a, b in pairwise(edges)])
    fitted = np.polyfit(np.log(np.sqrt(edges[:-1] * edges[1:])), np.log(level), 1)[0]
    assert fitted == pytest.approx(slope, abs=0.1)


def test_an_unknown_noise_is_refused():
    with pytest.raises(ValueError, match="brown"):
        noise("brown", 10, np.random.default_rng(0))


def test_babble_has_unit_power_and_every_talker_in_equal_parts():
    talkers = [scale * np.random.default_rng(i).standard_normal(5000) for i, scale in enumerate((0.1, 1.0, 10.0))]
    mixture = babble(talkers, 5000)
    assert np.mean(mixture**2) == pytest.approx(1.0)
    for talker in talkers:
        assert np.corrcoef(mixture, talker)[0, 1] == pytest.approx(1 / math.sqrt(3), abs=0.05)


@given(st.floats(6, 20), st.floats(0.1, 1.0))
def test_overdrive_flattens_both_tops_at_the_wanted_peak(over_db, peak):
    x = _bursts(0.3, on_s=0.2, off_s=0.0, count=1)
    y = overdrive(x, over_db, peak)
    assert y.max() == pytest.approx(peak)
    assert y.min() == pytest.approx(-peak)
    # a sine cut at 1/g of its peak is flat for 1 - (2/pi) asin(1/g) of the time
    expected = 1 - 2 / math.pi * math.asin(10 ** (-over_db / 20))
    assert np.mean(np.abs(y) >= 0.9999 * peak) == pytest.approx(expected, abs=0.04)


def test_speech_from_8_khz_has_nothing_above_4_khz():
    x = np.random.default_rng(0).standard_normal(22050)
    narrow = resample(resample(x, 22050, 8000), 8000, 24000)
    power = np.abs(np.fft.rfft(narrow)) ** 2
    hz = np.fft.rfftfreq(narrow.shape[0], 1 / 24000)
    inside, outside = power[(hz > 500) & (hz < 3500)].mean(), power[hz > 4200].mean()
    assert 10 * math.log10(outside / inside) < -60


def test_resampling_keeps_a_tone_and_the_duration():
    x = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    y = resample(x, 22050, 48000)
    assert y.shape[0] == 48000
    expected = np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000)
    assert np.max(np.abs(y[4800:-4800] - expected[4800:-4800])) < 0.01


def test_the_truth_survives_its_file(tmp_path):
    planted = Planted(
        "a/b.wav", Defect.NOISY, "a", "en", 16000, "Ça va.", "Ça va.", snr_db=3.5, detail={"noise": "pink"}
    )
    truth = Truth(7, (planted, Planted("c.ogg", Defect.NOT_AUDIO)))
    truth.write(tmp_path / "truth.json")
    assert Truth.read(tmp_path / "truth.json") == truth
    assert truth.of(Defect.NOISY) == (planted,)
