import numpy as np
import pytest

from auricle.extractors.fidelity import Fidelity, si_sdr_db, spectral_db
from auricle.schemas.clip import Clip
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import ClipError

RATE = 16000


def voice(seconds=1.0):
    t = np.arange(int(seconds * RATE)) / RATE
    return (0.2 * sum(np.sin(2 * np.pi * 140 * n * t) / n for n in range(1, 20))).astype(np.float32)


def test_an_equal_signal_has_no_distance_and_noise_has_the_ratio_it_was_added_at():
    x = voice()
    assert si_sdr_db(x, x) > 80
    assert spectral_db(x, x) == 0
    noise = np.random.default_rng(0).normal(size=len(x))
    noise *= np.sqrt(np.mean(x**2) / np.mean(noise**2)) * 10 ** (-20 / 20)
    assert si_sdr_db(x + noise, x) == pytest.approx(20, abs=0.2)
    assert si_sdr_db(3 * x, x) > 80
    assert spectral_db(2 * noise, noise) == pytest.approx(20 * np.log10(2), abs=0.2)


def test_the_built_in_codec_keeps_something_and_more_codebooks_keep_more():
    clip = Clip("", voice(), RATE)
    few, all_ = (
        Fidelity(RepresentationConfig(codec="builtin", kind="codes", num_codebooks=n))(clip) for n in (1, None)
    )
    assert all_["si_sdr_db"] > few["si_sdr_db"]
    assert 0 < all_["spectral_db"] < 20


def test_what_cannot_be_compared_is_an_error_of_the_clip():
    measure = Fidelity(RepresentationConfig(codec="builtin", kind="codes"))
    for samples in (np.zeros(RATE, dtype=np.float32), voice(0.01)):
        with pytest.raises(ClipError, match="too short or silent"):
            measure(Clip("", samples, RATE))
