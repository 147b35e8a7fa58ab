"""The resampler against direct evaluation in float64, tones of known frequency, and itself in pieces."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.extractors.coding import resample as kernel
from auricle.extractors.coding.resample import resample, resample_span
from auricle.schemas.time import resampled_length

RATES = [(8000, 24000), (16000, 24000), (22050, 24000), (44100, 24000), (48000, 24000), (11025, 48000), (32000, 24000)]


def reference(signal: np.ndarray, source_rate: int, target_rate: int) -> np.ndarray:
    """The kernel's formula, sample by sample in float64 with numpy's own Bessel function."""
    base = min(source_rate, target_rate) * kernel.ROLLOFF
    out = np.zeros(resampled_length(len(signal), source_rate, target_rate))
    reach = math.ceil(kernel.ZERO_CROSSINGS * source_rate / base) + 1
    for n in range(len(out)):
        centre = n * source_rate // target_rate
        k = np.arange(max(0, centre - reach), min(len(signal), centre + reach + 1))
        t = np.clip((k / source_rate - n / target_rate) * base, -kernel.ZERO_CROSSINGS, kernel.ZERO_CROSSINGS)
        window = np.i0(kernel.BETA * np.sqrt(1 - (t / kernel.ZERO_CROSSINGS) ** 2)) / np.i0(kernel.BETA)
        out[n] = np.sum(signal[k] * np.sinc(t) * window) * base / source_rate
    return out


@pytest.mark.parametrize(("source_rate", "target_rate"), [*RATES, (7919, 24000)])
def test_output_differs_from_a_float64_evaluation_by_less_than_two_millionths(source_rate: int, target_rate: int):
    signal = np.random.default_rng(1).uniform(-1, 1, 700)
    got = resample(signal[None].astype(np.float32), source_rate, target_rate)[0]
    wanted = reference(signal.astype(np.float32).astype(np.float64), source_rate, target_rate)
    assert np.abs(got - wanted).max() < 2e-6


@pytest.mark.parametrize(("source_rate", "target_rate"), RATES)
def test_a_tone_stays_the_same_tone_to_a_millionth(source_rate: int, target_rate: int):
    frequency, phase = 1000.0, 0.3
    source = np.sin(2 * np.pi * frequency * np.arange(source_rate) / source_rate + phase)
    got = resample(source[None].astype(np.float32), source_rate, target_rate)[0]
    wanted = np.sin(2 * np.pi * frequency * np.arange(len(got)) / target_rate + phase)
    edge = target_rate // 50
    assert np.abs(got - wanted)[edge:-edge].max() < 1e-6


def test_a_tone_above_the_new_band_is_gone():
    source = np.sin(2 * np.pi * 14000 * np.arange(48000) / 48000)[None].astype(np.float32)
    got = resample(source, 48000, 24000)[0]
    assert np.abs(got[500:-500]).max() < 1e-5


def test_it_agrees_with_torchaudio_at_its_kaiser_best_setting(noise):
    audio = noise(16000)
    wanted = torchaudio.functional.resample(
        torch.from_numpy(audio),
        16000,
        24000,
        lowpass_filter_width=kernel.ZERO_CROSSINGS,
        rolloff=kernel.ROLLOFF,
        resampling_method="sinc_interp_kaiser",
        beta=kernel.BETA,
    ).numpy()
    np.testing.assert_allclose(resample(audio, 16000, 24000), wanted, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    num_samples=st.integers(1, 40000),
    rates=st.sampled_from(RATES),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    seed=st.integers(0, 99),
)
def test_a_piece_is_bit_for_bit_the_piece_of_the_whole(num_samples, rates, cut, seed):
    signal = np.random.default_rng(seed).standard_normal((1, num_samples)).astype(np.float32)
    whole = resample(signal, rates[0], rates[1])
    assert whole.shape == (1, resampled_length(num_samples, *rates))
    start, end = sorted(int(c * whole.shape[1]) for c in cut)
    reads = []

    def read(a: int, b: int) -> np.ndarray:
        reads.append(b - a)
        return signal[:, a:b]

    piece = resample_span(read, num_samples, rates[0], rates[1], start, end)
    assert np.array_equal(piece, whole[:, start:end])
    assert max(reads, default=0) < 1.2 * rates[0] + 400


def test_rates_without_a_common_factor_are_resampled_without_a_giant_table():
    source = np.sin(2 * np.pi * 440 * np.arange(20000) / 44101)[None].astype(np.float32)
    got = resample(source, 44101, 24000)[0]
    wanted = np.sin(2 * np.pi * 440 * np.arange(len(got)) / 24000)
    assert np.abs(got - wanted)[300:-300].max() < 1e-6
    assert kernel.taps.cache_info().currsize <= 4


def test_equal_rates_give_the_samples_unchanged(noise):
    audio = noise(1000, channels=2)
    assert np.array_equal(resample(audio, 24000, 24000), audio)
