"""Clips as the world has them, with known truth: what the part of the acoustic network that says the SNR is refined on.

Beyond `auricle.curators.training.mixtures`: up to three disturbances at once, each in a room of its own, with levels
that move; other talkers far away; telephone bands; lossy codecs over the whole; and levels up to 50 dB over speech that
is quieter still in its pauses.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile

from auricle.curators.training import rooms, synthetic
from auricle.curators.training.colours import smooth, tilted, unit_power
from auricle.curators.training.mixtures import Mixture, Utterance, clean_speech, excerpt, label, shaped
from auricle.curators.waveform import resample

RATE = 16_000
KINDS = {"noise": 0.44, "music": 0.12, "babble": 0.12, "voices": 0.14, "made up": 0.18}
"""How often each kind of disturbance is drawn."""
AT_ONCE = (0.5, 0.3, 0.2)
"""Shares of the clips with one, two and three disturbances."""
IN_ROOM, OWN_ROOM, MOVING, MOVING_SPEECH, STEADY = 0.4, 0.4, 0.35, 0.15, 0.25
TELEPHONE, CODED, CLEAN = 0.15, 0.2, 0.3
FAR_C50_DB = 6.0
"""Rooms with less clarity than this are heard from a distance."""
CLEAN_FLOOR_DB = 40.0
TELEPHONE_HZ = (300.0, 3400.0)
TELEPHONE_CODECS = (("WAV", "ULAW"), ("WAV", "GSM610"), ("WAV", "G721_32"))
CODECS = (("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS"))


@dataclass(frozen=True, slots=True)
class World:
    """What scenes are made of; waveforms at 16 kHz."""

    utterances: Sequence[Utterance]
    sounds: dict[str, dict[str, list[np.ndarray]]]
    """noise, music and voices: tracks by package. A package counts as the square root of its tracks."""
    near: Sequence[np.ndarray]
    far: Sequence[np.ndarray]
    """Responses of rooms; far: with `FAR_C50_DB` and less."""


def make_scene(rng: np.random.Generator, world: World, seconds: float) -> Mixture:
    """One scene of `seconds` with its truth: as in the air, before any codec."""
    n = int(seconds * RATE)
    is_clean = rng.random() < CLEAN
    pool = [u for u in world.utterances if u.floor_db >= CLEAN_FLOOR_DB] if is_clean else world.utterances
    dry, floor, _ = clean_speech(rng, pool or world.utterances, n)
    if rng.random() < MOVING_SPEECH:
        dry = dry * moving(rng, n, 4)
    speech = rooms.reverberate(dry, _one(rng, world.near)) if rng.random() < IN_ROOM else dry
    noise, music, names = disturbance(rng, world, n)
    speech, noise, music, dry = shaped(rng, np.stack([speech, noise, music, dry]))
    is_telephone = rng.random() < TELEPHONE
    if is_telephone:
        speech, noise, music, dry = (telephone(x) for x in (speech, noise, music, dry))
    power, loud = float(np.mean(speech**2)), float(np.mean((noise + music) ** 2))
    if loud > 0:
        level = rng.uniform(25, 50) if is_clean else rng.uniform(-8, 30)
        gain = np.float32(math.sqrt(power / loud / 10 ** (level / 10)))
        noise, music = gain * noise, gain * music
    scene = Mixture(speech + noise + music, np.zeros(0), np.zeros(0), np.nan, np.nan, np.nan, names)
    label(scene, speech, noise, music, dry, floor, np.nan)
    loudness = float(np.sqrt(np.mean(scene.waveform**2))) or 1.0
    scene.waveform = scene.waveform * np.float32(10 ** (rng.uniform(-45, -14) / 20) / loudness)
    if is_telephone and rng.random() < 0.7:
        scene.waveform = coded(scene.waveform, *_one(rng, TELEPHONE_CODECS), RATE // 2)
    elif rng.random() < CODED:
        scene.waveform = coded(scene.waveform, *_one(rng, CODECS), RATE)
    return scene


def disturbance(rng: np.random.Generator, world: World, n: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Noise `[n]`, music `[n]` and what is in them."""
    noise, music, names = np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.float32), []
    for _ in range(1 + int(rng.choice(len(AT_ONCE), p=AT_ONCE))):
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        x = _sound(rng, world, kind, n)
        if kind != "voices" and rng.random() < OWN_ROOM:
            x = rooms.reverberate(x, _one(rng, [*world.near, *world.far]))
        if rng.random() < MOVING:
            x = x * moving(rng, n, 8)
        x = unit_power(x) * np.float32(10 ** (rng.uniform(-15, 0) / 20) if names else 1.0)
        noise, music = (noise, music + x) if kind == "music" else (noise + x, music)
        names.append(kind)
    if rng.random() < STEADY:
        noise = noise + tilted(rng, n) * np.float32(10 ** (rng.uniform(-20, 0) / 20))
    return noise, music, "+".join(names)


def _sound(rng: np.random.Generator, world: World, kind: str, n: int) -> np.ndarray:
    if kind == "made up":
        return _one(rng, list(synthetic.TRAIN_NOISES.values()))(rng, n)
    if kind == "babble":
        voices = [clean_speech(rng, world.utterances, n)[0] for _ in range(int(rng.integers(2, 9)))]
        return unit_power(np.sum([np.roll(x, int(rng.integers(n))) for x in voices], axis=0))
    if kind == "voices":
        voices = [excerpt(rng, _package(rng, world.sounds["voices"]), n) for _ in range(int(rng.choice([1, 1, 2, 3])))]
        return unit_power(rooms.reverberate(np.sum(voices, axis=0), _one(rng, world.far)))
    return excerpt(rng, _package(rng, world.sounds[kind]), n)


def moving(rng: np.random.Generator, n: int, most_db: float) -> np.ndarray:
    """Gain `[n]` float32 that wanders by up to about `most_db`, within 1 to 10 s."""
    level_db = smooth(rng, n, rng.uniform(0.1, 1)) * rng.uniform(0.25, 1) * most_db
    return (10 ** (np.clip(level_db, -25, 20) / 20)).astype(np.float32)


def telephone(x: np.ndarray) -> np.ndarray:
    """`[T]` in the band of a telephone line."""
    spectrum, hz = np.fft.rfft(x), np.fft.rfftfreq(x.shape[0], 1 / RATE)
    low, high = TELEPHONE_HZ
    gain = 1 / np.sqrt((1 + (low / np.maximum(hz, 1)) ** 8) * (1 + (hz / high) ** 24))
    return np.fft.irfft(spectrum * gain, x.shape[0]).astype(np.float32)


def coded(x: np.ndarray, container: str, codec: str, rate: int) -> np.ndarray:
    """`[T]` at 16 kHz through a codec at `rate`, `[T]` float32."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(resample(x, RATE, rate), -1, 1), rate, format=container, subtype=codec)
    file.seek(0)
    y, _ = soundfile.read(file, dtype="float32")
    return np.resize(resample(y, rate, RATE), x.shape[0])


def _package(rng: np.random.Generator, packages: dict[str, list[np.ndarray]]) -> list[np.ndarray]:
    names = sorted(packages)
    weight = np.sqrt([len(packages[name]) for name in names])
    return packages[names[int(rng.choice(len(names), p=weight / weight.sum()))]]


def _one(rng: np.random.Generator, pool: Sequence):
    return pool[int(rng.integers(len(pool)))]
