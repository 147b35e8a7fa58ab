import numpy as np
import pytest

from auricle.curators.signal.subtraction import LEAST_GAIN, SIZE, gains, less_noise


@pytest.mark.parametrize("count", [1, 255, 256, 511, 512, 513, 16000, 2048 * 256 + 7, 1_200_001])
def test_a_signal_without_steady_noise_comes_back_as_it_went_in(count, monkeypatch):
    monkeypatch.setattr("auricle.curators.signal.subtraction.gains", np.ones_like)
    x = np.random.default_rng(0).normal(0, 0.1, count).astype(np.float32)
    y = less_noise(x)
    assert y.dtype == np.float32
    assert np.abs(y - x).max() < 1e-5


def test_steady_noise_falls_by_about_10_db_and_a_burst_in_it_stays():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, 64000).astype(np.float32)
    burst = np.zeros(64000, dtype=np.float32)
    burst[32000:36000] = 0.3 * np.sin(2 * np.pi * 440 / 16000 * np.arange(4000))
    y = less_noise(noise + burst)
    assert 20 * np.log10(y[:30000].std() / noise[:30000].std()) < -6
    assert y[32500:35500].std() == pytest.approx((noise + burst)[32500:35500].std(), rel=0.02)


def test_gains_lie_between_the_floor_and_one_and_do_not_depend_on_level():
    power = np.random.default_rng(0).gamma(1, 1, (300, SIZE // 2 + 1))
    assert LEAST_GAIN <= gains(power).min() <= gains(power).max() <= 1
    assert np.allclose(gains(power), gains(1e-6 * power))
    assert np.isfinite(gains(np.zeros((9, 257)))).all()
