"""Noise of a given colour and curves that wander: what made-up sounds are built from."""

from __future__ import annotations

import numpy as np

SAMPLE_RATE = 16_000


def unit_power(x: np.ndarray) -> np.ndarray:
    """`x` scaled to mean square 1, float32; silence stays silence."""
    x = x - x.mean()
    power = float(np.mean(x**2))
    return (x / np.sqrt(power) if power > 0 else x).astype(np.float32)


def coloured(rng: np.random.Generator, num_samples: int, db_per_octave: float) -> np.ndarray:
    """Gaussian noise whose power falls or rises by `db_per_octave` above 50 Hz."""
    size = 1 << max(num_samples - 1, 1).bit_length()
    spectrum = np.fft.rfft(rng.normal(size=size))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 50) / 50)
    return unit_power(np.fft.irfft(spectrum * 10 ** (octaves * db_per_octave / 20), size)[:num_samples])


def smooth(rng: np.random.Generator, num_samples: int, hz: float) -> np.ndarray:
    """Random curve with standard deviation about 1 that varies `hz` times a second."""
    knots = rng.normal(size=max(2, int(num_samples / SAMPLE_RATE * hz) + 3))
    return np.interp(np.linspace(0, knots.shape[0] - 1, num_samples), np.arange(knots.shape[0]), knots)


def tilted(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Stationary noise with a random slope and a random smooth equalisation of about 6 dB."""
    x = coloured(rng, num_samples, rng.uniform(-9, 2))
    size = x.shape[0]
    spectrum = np.fft.rfft(x)
    knots = rng.normal(0, 6, 8)
    gain_db = np.interp(np.linspace(0, 7, spectrum.shape[0]) ** 0.5 * 7**0.5, np.arange(8), knots)
    return unit_power(np.fft.irfft(spectrum * 10 ** (gain_db / 20), size))
