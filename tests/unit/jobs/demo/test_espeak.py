"""espeak-ng through ctypes."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from auricle.jobs.demo.corpus import SPEAKERS
from auricle.jobs.demo.espeak import Voice, synthesise
from auricle.schemas.errors import ConfigError

SENTENCE = "The captain of the ferry lost his umbrella."


def test_speech_is_mono_int16_of_a_plausible_length_and_level():
    samples, rate = synthesise(SENTENCE, Voice())
    assert samples.dtype == np.int16
    assert samples.ndim == 1
    assert 1.5 < samples.shape[0] / rate < 5
    assert 3000 < np.abs(samples.astype(int)).max() < 32768


@pytest.mark.parametrize("speaker", sorted(SPEAKERS))
def test_every_voice_says_the_same_samples_again_whatever_was_said_before(speaker):
    voice = SPEAKERS[speaker]
    first, _ = synthesise(SENTENCE, voice)
    synthesise("Etwas ganz anderes.", Voice("de+f3", 200, 70))
    again, _ = synthesise(SENTENCE, voice)
    assert np.array_equal(first, again)


def test_speed_and_pitch_do_what_they_say():
    slow, rate = synthesise(SENTENCE, Voice(speed_wpm=110))
    fast, _ = synthesise(SENTENCE, Voice(speed_wpm=220))
    assert fast.shape[0] < 0.7 * slow.shape[0]
    low, high = (_pitch_hz(synthesise("Ah, ah, ah, ah.", Voice(pitch=p, pitch_range=0))[0], rate) for p in (20, 80))
    assert high > 1.3 * low


def test_an_unknown_voice_is_refused_by_name():
    with pytest.raises(ConfigError, match="no voice 'xx-none'"):
        synthesise(SENTENCE, Voice("xx-none"))


def test_threads_take_turns_and_change_nothing():
    expected, _ = synthesise(SENTENCE, Voice())
    heard: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: heard.append(synthesise(SENTENCE, Voice())[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard) == 4
    assert all(np.array_equal(expected, samples) for samples in heard)


def _pitch_hz(samples: np.ndarray, rate: int) -> float:
    """Lag of the largest autocorrelation between 60 and 400 Hz."""
    x = samples.astype(float) - samples.mean()
    spectrum = np.abs(np.fft.rfft(x, 2 * x.shape[0])) ** 2
    correlation = np.fft.irfft(spectrum)
    low, high = rate // 400, rate // 60
    return rate / (low + int(np.argmax(correlation[low:high])))
