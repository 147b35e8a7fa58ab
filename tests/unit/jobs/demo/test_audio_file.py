"""Files whose bytes depend on the samples only."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from auricle.jobs.demo.audio_file import FORMATS, encode

RATE = 16000


def _tone() -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)


@pytest.mark.parametrize("extension", sorted(FORMATS))
def test_the_same_samples_give_the_same_bytes(extension):
    assert encode(_tone(), RATE, extension) == encode(_tone(), RATE, extension)


@pytest.mark.parametrize("extension", sorted(FORMATS))
def test_what_is_written_can_be_read_back(extension):
    waveform, rate = soundfile.read(io.BytesIO(encode(_tone(), RATE, extension)), dtype="float32")
    assert rate == RATE
    overlap = min(waveform.shape[0], RATE)
    middle = slice(overlap // 4, overlap // 2)
    assert np.sqrt(np.mean(np.square(np.asarray(waveform, dtype=np.float64)[middle]))) == pytest.approx(
        0.3 / np.sqrt(2), rel=0.05
    )


@pytest.mark.parametrize("extension", ["wav", "flac", "aiff"])
def test_lossless_formats_agree_sample_for_sample(extension):
    waveform, _ = soundfile.read(io.BytesIO(encode(_tone(), RATE, extension)), dtype="int16")
    expected, _ = soundfile.read(io.BytesIO(encode(_tone(), RATE, "wav")), dtype="int16")
    assert np.array_equal(waveform, expected)


def test_a_stereo_file_keeps_its_channels():
    waveform, _ = soundfile.read(io.BytesIO(encode(np.stack([_tone(), -_tone()], axis=1), RATE, "wav")))
    assert waveform.shape == (RATE, 2)
    assert np.allclose(waveform[:, 0], -waveform[:, 1], atol=1e-4)
