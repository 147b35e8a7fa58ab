import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.signal.bands import HOP, NUM_BANDS, band_edges, band_powers, num_frames


def test_bands_cover_every_bin_once_but_dc():
    edges = band_edges()
    assert edges[0] == 1
    assert edges[-1] == 513
    assert np.all(np.diff(edges) >= 1)
    assert edges.size == NUM_BANDS + 1


def test_a_frame_of_white_noise_sums_to_its_mean_square():
    x = np.random.default_rng(0).normal(0, 0.3, 160000).astype(np.float32)
    assert band_powers(x)[:-1].sum(axis=1).mean() == pytest.approx(0.09, rel=0.02)


@pytest.mark.parametrize("hz", [100, 1000, 3000, 7000])
def test_a_tone_lies_in_the_band_that_holds_its_bin(hz):
    x = np.sin(2 * np.pi * hz * np.arange(16000) / 16000).astype(np.float32)
    powers = band_powers(x)[5]
    band = int(np.searchsorted(band_edges(), round(hz / 15.625), side="right")) - 1
    assert abs(int(powers.argmax()) - band) <= 1
    assert powers.sum() == pytest.approx(0.5, rel=0.05)


@settings(deadline=None)
@given(st.integers(1, 5000))
def test_frames_cover_every_sample(n):
    powers = band_powers(np.ones(n, dtype=np.float32))
    assert powers.shape == (num_frames(n), NUM_BANDS)
    assert powers.shape[0] * HOP >= n
    assert np.isfinite(powers).all()
