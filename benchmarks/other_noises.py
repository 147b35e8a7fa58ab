"""Noises of other making than any that a network was trained or tested on: what deviations are fitted on.

Every family takes a random generator and a length and gives `[T]` float32 at 16 kHz with mean square 1.
"""

from __future__ import annotations

import numpy as np
from curator_data import RATE, utterances

from auricle.curators.training.colours import coloured, smooth, unit_power


def backwards(rng: np.random.Generator, n: int) -> np.ndarray:
    """A voice played backwards: all of speech but the words."""
    return _voices(rng, n, 1)[::-1].copy()


def crowd(rng: np.random.Generator, n: int) -> np.ndarray:
    """Two to eight voices at once."""
    return _voices(rng, n, int(rng.integers(2, 9)))


def shuffled(rng: np.random.Generator, n: int) -> np.ndarray:
    """Pieces of 60 to 200 ms of voices in random order."""
    x, size = _voices(rng, n, 1), int(rng.uniform(0.06, 0.2) * RATE)
    pieces = [x[i : i + size] * np.hanning(size) for i in rng.integers(0, n - size, n // (size // 2) + 2)]
    out = np.zeros(n + size)
    for i, piece in enumerate(pieces):
        if (at := i * (size // 2)) < n:
            out[at : at + size] += piece
    return unit_power(out[:n])


def gated(rng: np.random.Generator, n: int) -> np.ndarray:
    """Noise of one colour that is switched on and off."""
    on = smooth(rng, n, float(np.exp(rng.uniform(np.log(0.5), np.log(10))))) > rng.uniform(-0.7, 0.7)
    return unit_power(coloured(rng, n, rng.uniform(-6, 3)) * (on + rng.uniform(0, 0.1)))


def hum(rng: np.random.Generator, n: int) -> np.ndarray:
    """Mains hum with harmonics and hiss."""
    t, hz = np.arange(n) / RATE, rng.choice([50.0, 60.0, 100.0, 120.0])
    tones = sum(np.cos(2 * np.pi * hz * k * t + rng.uniform(0, 6.28)) / k ** rng.uniform(0, 1.5) for k in range(1, 20))
    return unit_power(unit_power(np.asarray(tones)) + rng.uniform(0.05, 1) * coloured(rng, n, rng.uniform(-3, 2)))


def voice_band(rng: np.random.Generator, n: int) -> np.ndarray:
    """Noise with the spectrum and the rhythm of a voice."""
    x = _voices(rng, n, 1)
    level = np.sqrt(np.convolve(x**2, np.ones(400) / 400, mode="same"))
    spectrum = np.abs(np.fft.rfft(x)) * np.exp(2j * np.pi * rng.random(n // 2 + 1))
    return unit_power(np.fft.irfft(spectrum, n) * level)


OTHER_NOISES = {f.__name__: f for f in (backwards, crowd, shuffled, gated, hum, voice_band)}


def _voices(rng: np.random.Generator, n: int, many: int) -> np.ndarray:
    pool = utterances(False)
    chosen = (pool[int(i)].waveform for i in rng.integers(len(pool), size=many))
    return unit_power(np.sum([np.roll(np.resize(unit_power(x), n), int(rng.integers(n))) for x in chosen], axis=0))
