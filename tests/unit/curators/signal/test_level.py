import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.signal.level import HANGOVER_S, active_speech_power

RATE = 16000


def bursts(rng, on_s=1.0, off_s=1.0, repeats=4, sigma=0.1):
    """Noise bursts between digital silence."""
    burst = [np.append(rng.normal(0, sigma, int(on_s * RATE)), np.zeros(int(off_s * RATE))) for _ in range(repeats)]
    return np.concatenate(burst).astype(np.float32)


def test_continuous_noise_is_active_throughout():
    x = np.random.default_rng(0).normal(0, 0.1, 4 * RATE)
    power, activity = active_speech_power(x, RATE)
    assert 10 * np.log10(power / 0.01) == pytest.approx(0, abs=0.1)
    assert activity == pytest.approx(1, abs=0.02)


def test_pauses_do_not_count_beyond_the_hangover():
    power, activity = active_speech_power(bursts(np.random.default_rng(1)), RATE)
    # each second of noise counts with the 0.2 s hangover and the envelope's decay after it
    active_s = 1 + HANGOVER_S
    assert 10 * np.log10(power / (0.01 / active_s)) == pytest.approx(0, abs=0.4)
    assert activity == pytest.approx(active_s / 2, abs=0.06)


def test_silence_has_no_power():
    assert active_speech_power(np.zeros(100), RATE) == (0.0, 0.0)


@settings(max_examples=20, deadline=None)
@given(st.floats(-80, 40))
def test_gain_moves_the_level_by_itself_and_leaves_the_activity(gain_db):
    x = bursts(np.random.default_rng(2), repeats=1).astype(np.float64)
    power, activity = active_speech_power(x, RATE)
    louder, same = active_speech_power(x * 10 ** (gain_db / 20), RATE)
    assert 10 * np.log10(louder / power) == pytest.approx(gain_db, abs=1e-6)
    assert same == pytest.approx(activity)
