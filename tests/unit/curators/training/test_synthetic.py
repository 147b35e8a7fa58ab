import numpy as np
import pytest

from auricle.curators.training.colours import coloured
from auricle.curators.training.synthetic import TEST_MUSIC, TEST_NOISES, TRAIN_MUSIC, TRAIN_NOISES

FAMILIES = {**TRAIN_NOISES, **TRAIN_MUSIC, **TEST_NOISES, **TEST_MUSIC}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("size", [16000, 40001])
def test_every_generator_gives_the_length_asked_at_mean_square_1_and_is_reproducible(name, size):
    x = FAMILIES[name](np.random.default_rng(5), size)
    assert x.shape == (size,)
    assert x.dtype == np.float32
    assert np.mean(x.astype(float) ** 2) == pytest.approx(1, abs=1e-3)
    assert np.array_equal(x, FAMILIES[name](np.random.default_rng(5), size))


def test_what_is_tested_on_is_not_trained_on():
    assert not set(TRAIN_NOISES) & set(TEST_NOISES)
    assert not set(TRAIN_MUSIC) & set(TEST_MUSIC)


@pytest.mark.parametrize("slope", [-6.0, -3.0, 0.0, 3.0])
def test_coloured_noise_has_the_slope_it_was_asked_for(slope):
    x = coloured(np.random.default_rng(0), 1 << 17, slope)
    spectrum = np.abs(np.fft.rfft(x)) ** 2
    hz = np.fft.rfftfreq(x.size, 1 / 16000)
    low, high = spectrum[(hz > 500) & (hz < 600)].mean(), spectrum[(hz > 4000) & (hz < 4800)].mean()
    assert 10 * np.log10(high / low) / 3 == pytest.approx(slope, abs=0.4)
