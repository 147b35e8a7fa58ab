import numpy as np
import pystoi
import pytest

from auricle.curators.training.estoi import estoi


def voice_like(seed=0, seconds=4.0, rate=16000):
    """Noise with a syllable-rate envelope and pauses."""
    rng = np.random.default_rng(seed)
    n = int(seconds * rate)
    knots = np.arange(0, n + 1600, 1600)
    envelope = np.interp(np.arange(n), knots, rng.gamma(0.5, 1, knots.size))
    return rng.normal(size=n) * envelope


@pytest.mark.parametrize("rate", [10000, 16000])
@pytest.mark.parametrize("noise", [0.1, 0.5, 2.0])
def test_it_equals_pystoi(rate, noise):
    x = voice_like(rate=rate)
    y = x + np.random.default_rng(1).normal(0, noise * x.std(), x.size)
    assert estoi(x, y, rate) == pytest.approx(pystoi.stoi(x, y, rate, extended=True), abs=5e-3)


def test_a_copy_is_fully_intelligible_at_any_gain():
    x = voice_like()
    assert estoi(x, 0.01 * x, 16000) == pytest.approx(1.0, abs=1e-6)


def test_too_little_speech_has_none():
    assert estoi(voice_like(seconds=0.2), voice_like(seconds=0.2), 16000) is None
