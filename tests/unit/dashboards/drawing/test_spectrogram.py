from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.dashboards.drawing.spectrogram import RANGE_DB, outline, palette_png, power_db, spectrogram


def decode(png: bytes) -> np.ndarray:
    """`[H, W, 3]` from a PNG, by the specification: an independent reading of what `palette_png` writes."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + data)
        chunks[kind] = data
        at += 12 + length
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour) == (8, 3)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)[rows[:, 1:]]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_png_decodes_to_the_colours_that_went_in(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (17, 3), np.uint8)
    pixels = rng.integers(0, 17, (height, width), np.uint8)
    assert (decode(palette_png(pixels, palette)) == palette[pixels]).all()


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_a_full_scale_sine_reads_zero_db_at_its_own_frequency(rate: int) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32)
    cells = power_db(tone, rate, 50, 80)[:, 5:-5]
    centres = (np.arange(80) + 0.5) * rate / 2 / 80
    assert np.abs(centres[cells.mean(1).argmax()] - 1000) <= rate / 2 / 80
    # a Hann window's scalloping loss is 1.42 dB at worst
    assert -1.5 < cells.max() < 0.01


def test_halving_the_amplitude_costs_six_db() -> None:
    noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32) * 0.1
    difference = power_db(noise, 16000, 20, 20) - power_db(noise / 2, 16000, 20, 20)
    assert np.allclose(difference, 20 * np.log10(2), atol=1e-3)


def test_upsampled_speech_is_dark_above_its_own_bandwidth() -> None:
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft(rng.standard_normal(32000))
    spectrum[8001:] = 0  # nothing above 4 kHz of 8
    picture = decode(spectrogram(np.fft.irfft(spectrum).astype(np.float32), 16000, 64, 64).png).sum(2)
    assert picture[:28].max() < picture[36:].mean() / 3  # row 0 is the Nyquist frequency


def test_silence_is_dark_and_not_amplified() -> None:
    found = spectrogram(np.zeros(16000, np.float32), 16000)
    assert found.peak_db == float("-inf")
    assert decode(found.png).max() == decode(found.png).min() or decode(found.png).sum(2).max() < 30


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 5000), st.sampled_from([8000, 22050, 96000]))
def test_any_length_from_one_sample_up_is_drawn(length: int, rate: int) -> None:
    found = spectrogram(np.full(length, 0.5, np.float32), rate)
    assert decode(found.png).shape == (found.height, found.width, 3)
    assert found.duration_s == length / rate
    assert found.max_hz == rate / 2


def test_two_rates_are_drawn_up_to_the_same_frequency() -> None:
    tones = {rate: np.sin(2 * np.pi * 6000 * np.arange(rate) / rate).astype(np.float32) for rate in (16000, 24000)}
    drawn = {rate: spectrogram(tone, rate, top_hz=8000) for rate, tone in tones.items()}
    assert {picture.max_hz for picture in drawn.values()} == {8000}
    brightest = [decode(picture.png).sum((1, 2)).argmax() for picture in drawn.values()]
    assert abs(brightest[0] - brightest[1]) <= 1
    assert abs(brightest[0] - 96 * (1 - 6000 / 8000)) <= 2
    assert spectrogram(tones[16000], 16000, top_hz=20000).max_hz == 8000


def test_what_is_not_finite_is_drawn_as_silence() -> None:
    bad = np.array([np.nan, np.inf, -np.inf] * 2000, np.float32)
    assert spectrogram(bad, 16000).peak_db == float("-inf")
    low, high = outline(bad, 10)
    assert not low.any()
    assert not high.any()


def test_the_scale_ends_eighty_db_below_the_peak() -> None:
    tone = np.sin(2 * np.pi * 500 * np.arange(16000) / 16000).astype(np.float32)
    noise = 10 ** (-(RANGE_DB + 25) / 20) * np.random.default_rng(2).standard_normal(16000).astype(np.float32)
    picture = decode(spectrogram(tone + noise, 16000).png).sum(2)
    assert np.median(picture[:40]) < 60


@given(st.integers(1, 300), st.integers(1, 60))
def test_an_outline_holds_every_extreme(length: int, columns: int) -> None:
    signal = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
    low, high = outline(signal, columns)
    assert low.shape == high.shape == (columns,)
    assert low.min() == signal.min()
    assert high.max() == signal.max()
