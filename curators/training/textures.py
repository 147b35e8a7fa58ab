"""Sounds drawn from wide random families, so that a network learns what noise may be rather than eight noises.

Every generator takes a random generator and a length and gives `[num_samples]` float32 at 16 kHz with mean square 1.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve, istft, stft

from .colours import SAMPLE_RATE, smooth, tilted, unit_power

WINDOW, HOP = 512, 128
TOP_HZ = 7000.0


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between `low` and `high`, every octave alike."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def reshaped(rng: np.random.Generator, x: np.ndarray, spread_db: float) -> np.ndarray:
    """`x` under a gain that wanders over time and frequency with a standard deviation of `spread_db`."""
    _, _, spectrum = stft(x, SAMPLE_RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)
    bins, frames = spectrum.shape
    knots = rng.normal(
        size=(int(rng.integers(2, 16)), max(2, int(frames * HOP / SAMPLE_RATE * log_uniform(rng, 0.3, 20))))
    )
    # bands as wide as the ear's: the square root of the frequency
    across = _between(np.sqrt(np.linspace(0, 1, bins)), knots.shape[0])
    along = _between(np.linspace(0, 1, frames), knots.shape[1])
    gain = 10 ** (np.clip(across @ knots @ along.T * spread_db, -40, 25) / 20)
    _, y = istft(spectrum * gain, SAMPLE_RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)
    return unit_power(np.resize(y, x.shape[0]))


def _between(where: np.ndarray, knots: int) -> np.ndarray:
    """Weights `[N, knots]` of linear interpolation at `where` in 0..1."""
    position = where * (knots - 1)
    return np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(knots)))


def wandering(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Noise whose spectrum wanders, slowly or 20 times a second, by 4 to 16 dB."""
    return reshaped(rng, tilted(rng, num_samples), rng.uniform(4, 16))


def grains(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Many small noises of 15 to 250 ms of a few kinds, 1 to 300 a second, in swarms (rustle, steps, applause)."""
    x = rng.uniform(0.01, 0.2) * tilted(rng, num_samples)
    density = 10 ** (smooth(rng, num_samples, log_uniform(rng, 0.3, 4)) * rng.uniform(0, 1))
    density *= log_uniform(rng, 1, 300) / SAMPLE_RATE / density.mean()
    for _ in range(int(rng.integers(1, 5))):
        size = int(SAMPLE_RATE * log_uniform(rng, 0.015, 0.25))
        rise = max(1, int(size * rng.uniform(0.01, 0.5)))
        envelope = np.minimum(1, np.arange(size) / rise) * np.exp(-np.arange(size) / size * rng.uniform(1, 6))
        starts = np.flatnonzero(rng.random(num_samples) < density)
        events = np.zeros(num_samples)
        events[starts] = rng.lognormal(0, 0.7, starts.shape[0]) * rng.choice([-1, 1], starts.shape[0])
        grain = reshaped(rng, tilted(rng, size + WINDOW), 8.0)[:size] * envelope
        x += fftconvolve(events, grain)[:num_samples]
    return unit_power(x)


def voiced(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """One to three sources with harmonics of 60 to 1200 Hz that come, go, bend and change their colour."""
    x = rng.uniform(0, 0.2) * tilted(rng, num_samples)
    for _ in range(int(rng.integers(1, 4))):
        hz = log_uniform(rng, 60, 1200) * 2 ** (
            smooth(rng, num_samples, log_uniform(rng, 0.5, 6)) * rng.uniform(0, 0.4)
        )
        phase = 2 * np.pi * np.cumsum(hz) / SAMPLE_RATE
        tilt = rng.uniform(0.3, 1.5)
        tone = np.zeros(num_samples)
        for k in range(1, min(24, int(TOP_HZ / hz.max())) + 1):
            tone += np.sin(k * phase + rng.uniform(0, 6.28)) / k**tilt
        loudness = smooth(rng, num_samples, log_uniform(rng, 0.5, 8)) - rng.uniform(-1, 1)
        there = np.clip(loudness * 4, 0, 1) if rng.random() < 0.7 else 1.0
        x += reshaped(rng, tone * there, rng.uniform(2, 12)) * 10 ** (rng.uniform(-12, 0) / 20)
    return unit_power(x)


def loops(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """A pattern of 60 ms to 1.5 s over and over with small changes (engines, printers, pumps, machines)."""
    period = int(SAMPLE_RATE * log_uniform(rng, 0.06, 1.5))
    pattern = reshaped(rng, (grains if rng.random() < 0.5 else wandering)(rng, period + WINDOW), rng.uniform(2, 12))
    x, start, wobble = np.zeros(num_samples), 0, rng.uniform(0, 0.05)
    while start < num_samples:
        piece = pattern[: min(period, num_samples - start)]
        x[start : start + piece.shape[0]] += piece * rng.lognormal(0, 0.15)
        start += max(1, int(period * (1 + wobble * rng.normal())))
    return unit_power(unit_power(x) + rng.uniform(0, 0.5) * tilted(rng, num_samples))


def ensemble(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Music: one to four instruments of random timbre and range with rhythm and rests, often with drums."""
    beat = SAMPLE_RATE * rng.uniform(0.12, 0.5)
    steps = np.sort(rng.choice(12, int(rng.integers(5, 9)), replace=False))
    x = np.zeros(num_samples)
    for _ in range(int(rng.integers(1, 5))):
        x += unit_power(_instrument(rng, num_samples, beat, steps)) * 10 ** (rng.uniform(-10, 0) / 20)
    if rng.random() < 0.5:
        x += unit_power(_drums(rng, num_samples, beat)) * 10 ** (rng.uniform(-10, 3) / 20)
    return unit_power(x)


def _instrument(rng: np.random.Generator, num_samples: int, beat: float, steps: np.ndarray) -> np.ndarray:
    base, voices = rng.uniform(28, 76), int(rng.integers(1, 4))
    partials = np.arange(1, 17) ** -rng.uniform(0.4, 2.0) * rng.exponential(size=16)
    stretch, vibrato = 1 + rng.uniform(0, 0.003), rng.uniform(0, 0.01)
    attack, decay, length = log_uniform(rng, 0.003, 0.15), log_uniform(rng, 0.1, 4), rng.choice([1, 2, 4])
    x, start = np.zeros(num_samples), 0.0
    while start < num_samples:
        size = min(num_samples - int(start), int(beat * length * rng.uniform(0.6, 1.6)))
        t = np.arange(size) / SAMPLE_RATE
        # the end falls in 20 ms
        envelope = np.minimum(1, t / attack) * np.exp(-t / decay) * np.minimum(1, (size - np.arange(size)) / 320)
        for _ in range(voices if rng.random() < 0.85 else 0):
            hz = 440 * 2 ** ((base + steps[int(rng.integers(steps.size))] + 12 * int(rng.integers(0, 2)) - 69) / 12)
            phase = 2 * np.pi * hz * (t + vibrato / 35 * np.sin(35 * t))
            for k in range(1, min(16, int(TOP_HZ / hz)) + 1):
                x[int(start) : int(start) + size] += partials[k - 1] * envelope * np.sin(k**stretch * phase)
        start += beat * length
    return x


def _drums(rng: np.random.Generator, num_samples: int, beat: float) -> np.ndarray:
    """A repeated bar of kick (falling sine), snare and hat (noises)."""
    size = int(0.25 * SAMPLE_RATE)
    t = np.arange(size) / SAMPLE_RATE
    kick = np.sin(2 * np.pi * (45 * t + 6 * (1 - np.exp(-t * 30)))) * np.exp(-t * rng.uniform(8, 20)) * 3
    snare = tilted(rng, size) * np.exp(-t * rng.uniform(15, 40))
    hat = np.diff(rng.normal(size=size + 1)) * np.exp(-t * rng.uniform(30, 120)) * 0.3
    bar = rng.random((3, 8)) < np.array([[0.35], [0.25], [0.6]])
    x = np.zeros(num_samples + size)
    for i in range(int(num_samples / beat) + 1):
        for sound, played in zip((kick, snare, hat), bar[:, i % 8], strict=True):
            if played and int(i * beat) < num_samples:
                x[int(i * beat) : int(i * beat) + size] += sound * rng.uniform(0.7, 1)
    return x[:num_samples]
