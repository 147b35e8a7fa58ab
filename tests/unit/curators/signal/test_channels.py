import numpy as np
import pytest
from scipy.signal import butter, fftconvolve, sosfilt

from auricle.curators.signal.channels import ChannelsCurator, lagged_correlation
from auricle.schemas.clip import Clip

RATE = 16000


def talk(seed, seconds=6.0, turns=None):
    """Noise with a syllable-like envelope; `turns` gates whole seconds."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    envelope = np.abs(sosfilt(butter(2, 4, fs=RATE, output="sos"), rng.normal(size=n)))
    x = sosfilt(butter(2, [200, 3000], "band", fs=RATE, output="sos"), rng.normal(size=n)) * envelope
    if turns is not None:
        x *= np.repeat(np.asarray(turns, dtype=float), RATE)[:n]
    return (0.3 * x / np.abs(x).max()).astype(np.float32)


def relation(*channels, own=0):
    siblings = tuple(np.asarray(c, dtype=np.float32) for c in channels)
    return ChannelsCurator().score([Clip("", siblings[own], RATE, channel=own, siblings=siblings)])[0]


def test_one_channel_is_mono_and_the_rest_does_not_apply():
    row = ChannelsCurator().score([Clip("", talk(0), RATE)])[0]
    assert row["channel_relation"] == "mono"
    assert row["reason"].startswith("not_applicable")


@pytest.mark.parametrize(("gain", "delay"), [(1.0, 0), (0.3, 0), (1.0, 10), (2.0, 160)])
def test_one_signal_on_both_channels_is_dual_mono_whatever_gain_and_delay(gain, delay):
    x = talk(1)
    other = gain * np.roll(x, delay)
    other[:delay] = 0
    assert relation(x, other)["channel_relation"] == "dual_mono"


def test_equal_channels_have_correlation_1_and_no_side():
    row = relation(talk(1), talk(1))
    assert row["stereo_corr"] == pytest.approx(1)
    assert row["side_db"] == -200
    assert row["env_corr"] == pytest.approx(1)


def test_an_inverted_copy_is_antiphase():
    assert relation(talk(1), -talk(1))["channel_relation"] == "antiphase"


def test_talkers_who_take_turns_are_a_conversation():
    turns = np.array([1, 0, 1, 0, 0, 1])
    rng = np.random.default_rng(5)
    sides = [talk(2, turns=turns), talk(3, turns=1 - turns)]
    assert relation(*(s + rng.normal(0, 1e-4, s.size) for s in sides))["channel_relation"] == "conversation"


def test_one_talker_in_a_room_on_two_microphones_is_stereo():
    rng = np.random.default_rng(4)
    decay = np.exp(-np.arange(4000) / 800)
    x = talk(4)
    room = [fftconvolve(x, rng.normal(size=4000) * decay)[: x.size] for _ in range(2)]
    assert relation(*(0.1 * r for r in room))["channel_relation"] == "stereo"


def test_a_silent_channel_and_its_only_signal_are_named():
    x, zero = talk(1), np.zeros(6 * RATE)
    assert relation(x, zero)["channel_relation"] == "only_signal"
    assert relation(x, zero, own=1)["channel_relation"] == "silent"
    assert relation(zero, zero)["reason"].startswith("unmeasurable")


def test_of_six_channels_the_most_similar_one_decides():
    row = relation(talk(1), talk(2), talk(3), np.zeros(6 * RATE), 0.5 * talk(1), talk(4))
    assert row["channel_relation"] == "dual_mono"


@pytest.mark.parametrize("length", [1, 2, 3, 100])
def test_very_short_channels_do_not_fail(length):
    row = relation(talk(1)[1000 : 1000 + length], talk(2)[1000 : 1000 + length])
    assert not (row["reason"] or "").startswith("failed")


def test_channels_of_different_length_are_unmeasurable():
    assert relation(talk(1), talk(1)[:100])["reason"].startswith("unmeasurable")


def test_lagged_correlation_equals_the_direct_sum_within_one_chunk():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 500))
    full = np.correlate(a, b, "full")[499 - 20 : 499 + 21]
    expected = full[np.argmax(np.abs(full))] / np.sqrt(a @ a * (b @ b))
    assert lagged_correlation(a, b, 20) == pytest.approx(expected)
