from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from auricle.dashboards.report.examples import heard_alike
from auricle.dashboards.report.listening import MP3_RATES, excerpt


def wav(waveform: np.ndarray, rate: int) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, waveform, rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def noise(seconds: float, rate: int) -> bytes:
    return wav(np.random.default_rng(0).uniform(-0.5, 0.5, int(seconds * rate)), rate)


def test_what_fits_is_the_very_samples() -> None:
    audio = noise(1.5, 8000)
    found = excerpt(audio, 200_000)
    assert (found.mime, found.lossless, found.duration_s, found.total_s) == ("audio/flac", True, 1.5, 1.5)
    decoded, rate = soundfile.read(io.BytesIO(found.data), dtype="int16")
    assert rate == 8000
    assert (decoded == soundfile.read(io.BytesIO(audio), dtype="int16")[0]).all()


def test_what_does_not_fit_is_coded_and_still_the_same_sound() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000 * 6) / 16000) + np.random.default_rng(0).normal(
        0, 0.05, 96000
    )
    found = excerpt(wav(tone, 16000), 60_000)
    assert (found.mime, found.lossless, found.duration_s) == ("audio/mpeg", False, 6.0)
    assert len(found.data) <= 60_000
    decoded, rate = soundfile.read(io.BytesIO(found.data))
    spectrum = np.abs(np.fft.rfft(decoded[:96000]))
    assert abs(spectrum.argmax() * rate / 96000 - 440) < 1


def test_what_still_does_not_fit_is_cut_and_says_so() -> None:
    found = excerpt(noise(20, 16000), 30_000)
    assert len(found.data) <= 30_000
    assert 1.0 <= found.duration_s < 15
    assert found.total_s == 20
    assert found.waveform.shape == (round(found.duration_s * 16000),)


def test_rates_without_mp3_are_cut_as_flac() -> None:
    assert 17000 not in MP3_RATES
    found = excerpt(noise(10, 17000), 50_000)
    assert found.mime == "audio/flac"
    assert found.duration_s >= 1.0


def test_the_first_channel_is_taken_and_bad_samples_are_silenced() -> None:
    stereo = np.stack([np.full(8000, 0.25), np.full(8000, -0.5)], 1)
    assert np.allclose(excerpt(wav(stereo, 8000), 99_999).waveform, 0.25, atol=1e-4)
    out = io.BytesIO()
    soundfile.write(out, np.full(8000, np.nan), 8000, format="WAV", subtype="FLOAT")
    assert not excerpt(out.getvalue(), 99_999).waveform.any()


@pytest.mark.parametrize("audio", [b"", b"RIFF nonsense", b"\0" * 5000])
def test_bytes_that_are_not_audio_are_told_without_an_address(audio: bytes) -> None:
    with pytest.raises(ValueError, match="not audio") as caught:
        excerpt(audio, 1000)
    assert "0x" not in str(caught.value)


def test_an_empty_recording_has_nothing_to_play() -> None:
    with pytest.raises(ValueError, match="no samples"):
        excerpt(wav(np.zeros(0), 8000), 1000)


def test_sounds_that_are_compared_are_drawn_to_the_lower_of_their_bandwidths() -> None:
    pair = heard_alike([(noise(1, 16000), "recorded"), (noise(1, 24000), "decoded")], 99_999)
    assert [(each["label"], each["max_khz"]) for each in pair] == [("recorded", 8.0), ("decoded", 8.0)]
    gone, alone = heard_alike([(b"", "recorded"), (noise(1, 24000), "decoded")], 99_999)
    assert gone["problem"] == "the recording is not there any more"
    assert alone["max_khz"] == 12.0
