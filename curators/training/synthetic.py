"""Noises and music from generators, in families: networks train on some, benchmarks test on the others.

Every generator takes a random generator and a length and gives `[num_samples]` float32 at 16 kHz with mean square 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import textures
from .colours import SAMPLE_RATE, coloured, smooth, tilted, unit_power

Generator = Callable[[np.random.Generator, int], np.ndarray]


def white(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """White noise."""
    return coloured(rng, num_samples, 0.0)


def pink(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Pink noise: -3 dB per octave."""
    return coloured(rng, num_samples, -3.0)


def modulated(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Noise whose level wanders by 4 to 12 dB, 0.3 to 8 times a second."""
    level_db = smooth(rng, num_samples, np.exp(rng.uniform(np.log(0.3), np.log(8)))) * rng.uniform(4, 12)
    return unit_power(tilted(rng, num_samples) * 10 ** (np.clip(level_db, -30, 30) / 20))


def machine(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """A rotating machine: harmonics of 20 to 400 Hz with drift, over noise."""
    hz = np.exp(rng.uniform(np.log(20), np.log(400)))
    phase = 2 * np.pi * np.cumsum(hz * (1 + 0.02 * smooth(rng, num_samples, 2))) / SAMPLE_RATE
    x = np.zeros(num_samples)
    for k in range(1, min(30, int(7000 / hz)) + 1):
        x += np.cos(k * phase + rng.uniform(0, 2 * np.pi)) * rng.exponential() / k ** rng.uniform(0.3, 1.2)
    return unit_power(unit_power(x) + rng.uniform(0.1, 1) * tilted(rng, num_samples))


def bursts(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Separate events of 30 ms to 1 s (knocks, rustle, doors), each with its own colour and decay, over a low bed."""
    x = 0.02 * tilted(rng, num_samples)
    for _ in range(max(1, rng.poisson(num_samples / SAMPLE_RATE * rng.uniform(0.3, 4)))):
        size = min(num_samples, int(SAMPLE_RATE * np.exp(rng.uniform(np.log(0.03), np.log(1.0)))))
        start = int(rng.integers(0, num_samples - size + 1))
        decay = np.exp(-np.arange(size) / size * rng.uniform(0, 6))
        x[start : start + size] += tilted(rng, size) * decay * 10 ** (rng.uniform(-12, 6) / 20)
    return unit_power(x)


def calls(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Repeated voiced calls (barks, horns, birds): gliding harmonic tones of 50 to 500 ms with gaps between."""
    x = 0.01 * tilted(rng, num_samples)
    low = np.exp(rng.uniform(np.log(150), np.log(3500)))
    start = int(rng.integers(0, SAMPLE_RATE))
    while start < num_samples:
        size = min(num_samples - start, int(SAMPLE_RATE * rng.uniform(0.05, 0.5)))
        glide = np.linspace(1, np.exp(rng.normal(0, 0.3)), size) * (1 + 0.03 * smooth(rng, size, 20))
        phase = 2 * np.pi * np.cumsum(low * np.exp(rng.normal(0, 0.1)) * glide) / SAMPLE_RATE
        tone = sum(np.sin(k * phase) * rng.exponential() / k for k in range(1, max(2, int(7000 / low / 1.5))))
        window = np.minimum(1, np.minimum(np.arange(size), size - np.arange(size)) / (0.01 * SAMPLE_RATE))
        x[start : start + size] += tone * window * (1 + 0.5 * tilted(rng, size) * rng.uniform())
        start += size + int(SAMPLE_RATE * rng.exponential(0.4))
    return unit_power(x)


def impacts(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Things struck: inharmonic modes that ring for 30 to 500 ms, singly or in flurries, over a low bed."""
    x = 0.01 * tilted(rng, num_samples)
    rate = np.exp(rng.uniform(np.log(0.5), np.log(12)))
    for start in rng.integers(0, num_samples, max(1, rng.poisson(num_samples / SAMPLE_RATE * rate))):
        size = min(num_samples - int(start), SAMPLE_RATE // 2)
        t = np.arange(size) / SAMPLE_RATE
        hit = 0.3 * rng.normal(size=size) * np.exp(-t * 300)
        for _ in range(int(rng.integers(1, 7))):
            hit += np.sin(2 * np.pi * np.exp(rng.uniform(np.log(150), np.log(6500))) * t) * np.exp(
                -t / np.exp(rng.uniform(np.log(0.01), np.log(0.15)))
            )
        x[start : start + size] += hit * rng.lognormal(0, 0.8)
    return unit_power(x)


def wind(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Gusts in a microphone: low rumble that swells by 20 dB and more."""
    gust_db = smooth(rng, num_samples, rng.uniform(0.5, 3)) * rng.uniform(6, 14)
    rumble = coloured(rng, num_samples, rng.uniform(-15, -7)) * 10 ** (np.clip(gust_db, -30, 25) / 20)
    return unit_power(unit_power(rumble) + rng.uniform(0, 0.3) * tilted(rng, num_samples))


def chords(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Music: chords, bass and a melody of additive tones on a scale, with drums half of the time."""
    beat = int(SAMPLE_RATE * rng.uniform(0.25, 0.8))
    scale = np.array([0, 2, 4, 5, 7, 9, 11]) if rng.random() < 0.5 else np.array([0, 2, 3, 5, 7, 8, 10])
    root, drums = rng.uniform(36, 60), rng.random() < 0.5
    falloff, attack, sustain = rng.uniform(0.6, 2.5), rng.uniform(0.003, 0.08), rng.uniform(0.3, 3)
    x = np.zeros(num_samples)
    for start in range(0, num_samples, beat):
        degree = int(rng.integers(0, 7))
        notes = [scale[(degree + step) % 7] + 12 * ((degree + step) // 7) for step in (0, 2, 4)]
        melody = scale[int(rng.integers(0, 7))] + 12 * int(rng.integers(1, 3))
        for note, gain in [(notes[0] - 12, 1.0), *((n, 0.6) for n in notes), (melody, rng.uniform(0, 1.2))]:
            hz = 440 * 2 ** ((root + note - 69) / 12)
            size = min(num_samples - start, int(beat * rng.choice([1, 2])))
            t = np.arange(size) / SAMPLE_RATE
            envelope = np.minimum(1, t / attack) * np.exp(-t / sustain)
            for k in range(1, min(12, int(7000 / hz)) + 1):
                x[start : start + size] += gain * envelope * np.sin(2 * np.pi * hz * k * t) / k**falloff
        if drums:
            size = min(num_samples - start, beat // 2)
            x[start : start + size] += rng.normal(size=size) * np.exp(-np.arange(size) / (0.03 * SAMPLE_RATE)) * 2
    return unit_power(x)


def crackle(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Random resonant clicks, 5 to 60 a second (fire, rain on a roof, cutlery)."""
    x = np.zeros(num_samples)
    for start in rng.integers(0, num_samples, max(1, rng.poisson(num_samples / SAMPLE_RATE * rng.uniform(5, 60)))):
        size = min(num_samples - int(start), int(0.05 * SAMPLE_RATE))
        t = np.arange(size) / SAMPLE_RATE
        ring = np.exp(-t * rng.uniform(60, 600)) * np.sin(2 * np.pi * rng.uniform(300, 6000) * t)
        x[start : start + size] += ring * rng.lognormal(0, 0.8)
    return unit_power(unit_power(x) + 0.05 * pink(rng, num_samples))


def siren(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """A tone with harmonics that sweeps up and down over an octave."""
    t = np.arange(num_samples) / SAMPLE_RATE
    sweep = 2 ** (np.abs((t * rng.uniform(0.2, 2) + rng.uniform()) % 2 - 1))
    phase = 2 * np.pi * np.cumsum(rng.uniform(400, 900) * sweep) / SAMPLE_RATE
    return unit_power(sum(np.sin(k * phase) / k for k in (1, 2, 3, 4)) + 0.1 * pink(rng, num_samples))


def surf(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Waves: swells of noise every few seconds, brighter when louder."""
    t = np.arange(num_samples) / SAMPLE_RATE
    swell = np.sin(np.pi * t * rng.uniform(0.15, 0.5) + rng.uniform(0, np.pi)) ** 2
    return unit_power(0.2 * coloured(rng, num_samples, -5) + swell * pink(rng, num_samples))


def plucks(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    """Music: plucked strings by Karplus and Strong (1983) on a pentatonic scale."""
    step, root = int(SAMPLE_RATE * rng.uniform(0.12, 0.5)), rng.uniform(40, 55)
    x = np.zeros(num_samples)
    for start in range(0, num_samples, step):
        for _ in range(int(rng.integers(1, 4))):
            note = root + rng.choice([0, 2, 4, 7, 9, 12, 14, 16, 19, 24])
            period = int(SAMPLE_RATE / (440 * 2 ** ((note - 69) / 12)))
            turns = [rng.uniform(-1, 1, period)]
            while len(turns) * period < 2 * SAMPLE_RATE:
                turns.append(0.498 * (turns[-1] + np.roll(turns[-1], 1)))
            size = min(num_samples - start, 2 * SAMPLE_RATE)
            x[start : start + size] += np.concatenate(turns)[:size]
    return unit_power(x)


def _named(*families: Generator) -> dict[str, Generator]:
    return {family.__name__: family for family in families}


TRAIN_NOISES = _named(tilted, modulated, machine, bursts, calls, impacts, wind) | _named(
    textures.wandering, textures.grains, textures.voiced, textures.loops
)
TRAIN_MUSIC = _named(chords, textures.ensemble)
TEST_NOISES = _named(white, pink, crackle, siren, surf)
TEST_MUSIC = _named(plucks)
