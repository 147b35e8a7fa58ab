"""Clips in noise that no network has heard: what uncertainty of the SNR is fitted on.

The noise and music are of the packages in `sound_packages_unheard.tsv`, none of which trained anything; the speech is
of the training half of `curator_data`, so that speakers and noises of the held-out half stay unseen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_data import RATE, Case, crop, mix, utterances

from auricle.curators.training import rooms
from auricle.curators.training.colours import unit_power
from auricle.curators.training.mixtures import Utterance, read_mono

TRACKS, CLIPS = 6, 6
"""Of one package and kind at the most, and clips of a track: a large package is one source, not many."""
CROWDS, CROWD_CLIPS = (2, 3, 5, 8), 40
"""Voices at once in babble, and clips of each."""
TIGHT, IN_ROOM, TWO_AT_ONCE, STEADY = 0.4, 0.25, 0.15, 0.1
"""Shares of the clips without pauses, spoken in a room, with a second noise, and with steady noise added."""
FAR_C50_DB, FAR_LEAST_DB = 6.0, 5.0
"""Another talker is behind this one in a room with so little clarity, and at least so much softer."""


def package(path: Path) -> str:
    """The package that a track came from."""
    return path.name.split("__")[0]


def tracks(rng: np.random.Generator, sounds: Path) -> list[tuple[str, np.ndarray]]:
    """(package, `[T]`) of a few tracks of every package."""
    out = []
    for kind in ("noise", "music"):
        files = sorted((sounds / kind).glob("*.flac"))
        for name in sorted({package(p) for p in files}):
            own = [p for p in files if package(p) == name]
            out += [(name, read_mono(own[i])[0]) for i in rng.permutation(len(own))[:TRACKS]]
    return out


def cases(sounds: Path, seed: int = 11) -> Iterator[Case]:
    """Clips at -5 to 45 dB; `disturbance` is the package, the unit that a claim about noise is resampled by."""
    rng = np.random.default_rng(seed)
    voices = [u for u in utterances(False) if u.floor_db >= 30]
    unheard = tracks(rng, sounds)
    for name, x in unheard:
        for _ in range(CLIPS):
            yield from _case(rng, voices, unheard, name, x)
    for path in sorted((sounds / "voices").glob("*.flac"))[: TRACKS * 2]:
        x = read_mono(path)[0]
        for _ in range(CLIPS):
            z = rooms.reverberate(_stretch(rng, x, 10 * RATE), far_response(rng))
            yield from _case(rng, voices, unheard, f"{package(path)} voices", z, FAR_LEAST_DB)
    for many in CROWDS:
        for _ in range(CROWD_CLIPS):
            crowd = [voices[int(i)].waveform for i in rng.integers(len(voices), size=many)]
            rolled = [np.roll(np.resize(unit_power(x), 10 * RATE), int(rng.integers(10 * RATE))) for x in crowd]
            yield from _case(rng, voices, unheard, f"babble of {many}", unit_power(np.sum(rolled, axis=0)))


def far_response(rng: np.random.Generator) -> np.ndarray:
    """A room heard from a distance."""
    while rooms.c50_db(response := rooms.random_response(rng), RATE) > FAR_C50_DB:
        pass
    return response


def _case(rng: np.random.Generator, voices: list[Utterance], others: list, name: str, noise: np.ndarray, least=-5.0):
    u = voices[int(rng.integers(len(voices)))]
    x = tight(rng, u) if rng.random() < TIGHT else crop(rng, u)
    if rng.random() < IN_ROOM:
        x = rooms.reverberate(x, rooms.random_response(rng))
    z = _stretch(rng, noise, x.size)
    if rng.random() < TWO_AT_ONCE:
        z = unit_power(z) + np.float32(rng.uniform(0.3, 1)) * unit_power(
            _stretch(rng, others[int(rng.integers(len(others)))][1], x.size)
        )
    if rng.random() < STEADY:
        z = unit_power(z) + np.float32(rng.uniform(0.3, 1)) * rng.standard_normal(x.size).astype(np.float32)
    if float(np.mean(z**2)) > 1e-8:
        level = rng.uniform(least, 30) if rng.random() < 0.8 else rng.uniform(30, 45)
        mixed, truth = mix(x, z, float(level), u.floor_db)
        yield Case(mixed, truth, "unheard", u.speaker, name)


def _stretch(rng: np.random.Generator, x: np.ndarray, size: int) -> np.ndarray:
    at = int(rng.integers(x.size))
    return np.take(x, np.arange(at, at + size), mode="wrap")


def tight(rng: np.random.Generator, u: Utterance) -> np.ndarray:
    """The stretch of 2 to 4 s with the most speech in it."""
    size = int(rng.uniform(2, 4) * RATE) // 512
    speech = np.concatenate([[0], np.cumsum(u.probabilities >= 0.5)])
    if speech.size <= size + 1:
        return u.waveform
    best = int(np.argmax(speech[size:] - speech[:-size])) * 512
    return u.waveform[best : best + size * 512]
