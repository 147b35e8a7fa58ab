"""Training material with known truth: clean speech, put in rooms and in noise, with every label kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...schemas.clip import Clip
from ..signal.bands import band_powers
from ..signal.level import active_speech_power
from ..signal.vad import FRAME_SIZE, SAMPLE_RATE, pauses, speech_probabilities
from ..waveform import resample
from . import rooms, synthetic
from .colours import unit_power
from .estoi import estoi
from .textures import reshaped

PAUSE_PROBABILITY = 0.1
PAUSE_GUARD_FRAMES = 2
"""Frames next to speech that do not count as pause: onsets and reverberation leak into them, and with them the
floor of clean read speech measures 5 to 15 dB too high."""
MIN_PAUSE_FRAMES, MIN_SPEECH_FRAMES = 4, 5
PRESENT_DB = -15.0
"""A source is present in a frame when its power is within this of the mixture's."""
SPEECH_RANGE_DB = 25.0
"""Speech counts as present down to this far below its active level."""
BACKGROUNDS = {"recorded": 0.42, "music": 0.18, "babble": 0.14, "made_up_noise": 0.20, "made_up_music": 0.06}
"""How often each kind of disturbance is drawn; what there is no source of is left out."""
SPEEDS = (8000, 11000, 13000, 16000, 16000, 19000, 22000, 28000)
"""Rates in Hz that a recording is taken to have."""
EXCERPT_TRIES, SILENT_POWER = 20, 1e-7


@dataclass(frozen=True, slots=True)
class Utterance:
    """Clean speech at 16 kHz with what is known of it."""

    speaker: str
    waveform: np.ndarray
    """`[T]` float32."""
    probabilities: np.ndarray
    """Of speech, per 32 ms frame."""
    floor: np.ndarray
    """Band powers `[64]` of the recording's own noise."""
    floor_db: float
    """Level of the speech over that noise, dB."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What mixtures are made of; all waveforms at 16 kHz."""

    utterances: Sequence[Utterance]
    noises: Sequence[np.ndarray] = ()
    music: Sequence[np.ndarray] = ()
    noise_families: Sequence[synthetic.Generator] = tuple(synthetic.TRAIN_NOISES.values())
    music_families: Sequence[synthetic.Generator] = tuple(synthetic.TRAIN_MUSIC.values())
    responses: Sequence[np.ndarray] = ()


@dataclass(slots=True)
class Mixture:
    """One clip with its truth. Labels that do not apply are NaN."""

    waveform: np.ndarray
    speech_share: np.ndarray
    """Share of the power that is speech, `[F, 64]` float16."""
    present: np.ndarray
    """Speech, music, noise present, `[F, 3]` bool."""
    snr_db: float
    c50_db: float
    estoi: float
    kind: str = ""
    memo: dict = field(default_factory=dict)


def utterance(waveform: np.ndarray, sample_rate: int, speaker: str) -> Utterance | None:
    """The clip as a source of clean speech; None where it has no speech or no pause to know its noise from."""
    clip = Clip("", resample(waveform, sample_rate, SAMPLE_RATE), SAMPLE_RATE)
    probabilities = speech_probabilities(clip)
    pause, speech = pauses(probabilities, PAUSE_PROBABILITY, PAUSE_GUARD_FRAMES), probabilities >= 0.5
    bands = band_powers(clip.waveform)
    if pause.sum() < MIN_PAUSE_FRAMES or speech.sum() < MIN_SPEECH_FRAMES:
        return None
    floor = bands[pause].mean(axis=0)
    floor_db = 10 * np.log10(float(bands[speech].sum(axis=1).mean()) / max(float(floor.sum()), 1e-20))
    return Utterance(speaker, clip.waveform, probabilities, floor, float(floor_db))


def make_mixture(rng: np.random.Generator, sources: Sources, seconds: float = 4.0) -> Mixture:
    """A random mixture of `seconds`: speech or none, dry or in a room, with noise, music, babble or little of each."""
    n = int(seconds * SAMPLE_RATE)
    silence = np.zeros(n, dtype=np.float32)
    has_speech = rng.random() < 0.87
    dry, floor, no_pause = _speech(rng, sources.utterances, n) if has_speech else (silence, np.zeros(64), False)
    speech, c50 = dry, 40.0
    if has_speech and sources.responses and rng.random() < 0.45:
        response = sources.responses[int(rng.integers(len(sources.responses)))]
        speech, c50 = rooms.reverberate(dry, response), rooms.c50_db(response, SAMPLE_RATE)
    noise, music, kind = _background(rng, sources, n)
    if sources.responses and rng.random() < 0.25:
        response = sources.responses[int(rng.integers(len(sources.responses)))]
        noise, music = rooms.reverberate(noise, response), rooms.reverberate(music, response)
    parts = _shaped(rng, np.stack([speech, noise, music, dry]))
    speech, noise, music, dry = parts
    active, _ = active_speech_power(speech, SAMPLE_RATE)
    disturbance = float(np.mean((noise + music) ** 2))
    if has_speech and active > 0 and disturbance > 0:
        gain = np.float32(np.sqrt(active / disturbance / 10 ** (rng.uniform(-8, 45) / 10)))
        noise, music = gain * noise, gain * music
    mixture = Mixture(
        speech + noise + music, np.zeros(0), np.zeros(0), np.nan, np.nan, np.nan, f"{kind}{' tight' * no_pause}"
    )
    _label(mixture, speech, noise, music, dry, floor, c50 if has_speech else np.nan)
    mixture.waveform = mixture.waveform * np.float32(10 ** (rng.uniform(-45, -8) / 20) / _loudness(mixture.waveform))
    return mixture


def _label(m: Mixture, speech, noise, music, dry, floor: np.ndarray, c50: float) -> None:
    s, n, u = (band_powers(x) for x in (speech, noise, music))
    dry_power = float(np.mean(dry**2))
    # the recording's own floor went through the same room and filter as its speech
    own = floor * float(np.mean(speech**2)) / dry_power if dry_power > 0 else floor * 0.0
    own = np.minimum(own, s)
    disturbance = n + u + own
    m.speech_share = ((s - own) / np.maximum(s + n + u, 1e-20)).astype(np.float16)
    s_frame, n_frame, u_frame = (x.sum(axis=1) for x in (s - own, n + own, u))
    total = np.maximum(s_frame + n_frame + u_frame, 1e-20)
    share = 10 ** (PRESENT_DB / 10)
    active, _ = active_speech_power(speech, SAMPLE_RATE)
    audible = total > total.max() * 1e-6
    m.present = np.stack(
        [
            (s_frame > share * total) & (s_frame > active * 10 ** (-SPEECH_RANGE_DB / 10)) & (active > 0),
            (u_frame > share * total) & audible,
            (n_frame > share * total) & audible,
        ],
        axis=1,
    )
    noise_power = float(disturbance.sum(axis=1).mean())
    if active > 0 and noise_power > 0:
        m.snr_db = float(np.clip(10 * np.log10(active / noise_power), -20, 60))
        m.c50_db = c50
        value = estoi(dry, m.waveform, SAMPLE_RATE)
        m.estoi = np.nan if value is None else value


def _speech(rng, utterances: Sequence[Utterance], n: int) -> tuple[np.ndarray, np.ndarray, bool]:
    first = utterances[int(rng.integers(len(utterances)))]
    same = [u for u in utterances if u.speaker == first.speaker]
    tight = rng.random() < 0.4
    # other speeds are other voices: pitch and formants move with them
    speed = int(rng.choice([14000, 15000, 16000, 16000, 17000, 18000]))
    pieces, floors, length = [], [], 0
    while length < n:
        u = first if not pieces else same[int(rng.integers(len(same)))]
        x = u.waveform
        if tight:
            keep = np.repeat(u.probabilities >= 0.5, FRAME_SIZE)[: x.shape[0]]
            x = x[keep]
        elif x.shape[0] > n:
            start = int(rng.integers(0, x.shape[0] - n + 1))
            x = x[start : start + n]
        power = float(np.mean(x**2)) if x.shape[0] else 0.0
        if power <= 0:
            x, power = u.waveform, float(np.mean(u.waveform**2))
        if speed != SAMPLE_RATE:
            x = resample(x, speed, SAMPLE_RATE)
        pieces.append(x / np.float32(power**0.5))
        floors.append(u.floor / power)
        length += x.shape[0]
    return np.concatenate(pieces)[:n].astype(np.float32), np.mean(floors, axis=0), tight


def _background(rng, sources: Sources, n: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Noise `[n]`, music `[n]` and what they are: one disturbance, or a second and quieter one beside it."""
    pools = {
        "recorded": sources.noises,
        "music": sources.music,
        "babble": sources.utterances,
        "made_up_noise": sources.noise_families,
        "made_up_music": sources.music_families,
    }
    kinds = [kind for kind in BACKGROUNDS if pools[kind]]
    shares = np.array([BACKGROUNDS[kind] for kind in kinds])
    noise, music, names = np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.float32), []
    for _ in range(1 if rng.random() < 0.75 else 2):
        kind = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]
        gain = np.float32(10 ** (rng.uniform(-10, 0) / 20) if names else 1.0)
        if kind == "babble":
            # each voice starts anywhere: utterances begin with a pause, and their pauses must not fall together
            voices = [
                np.roll(_speech(rng, sources.utterances, n)[0], int(rng.integers(n)))
                for _ in range(int(rng.integers(3, 11)))
            ]
            x = unit_power(np.sum(voices, axis=0))
        elif kind in ("recorded", "music"):
            x = _excerpt(rng, pools[kind], n)
        else:
            family = pools[kind][int(rng.integers(len(pools[kind])))]
            x, kind = family(rng, n), family.__name__ if kind == "made_up_noise" else kind
        if kind in ("music", "made_up_music"):
            music = music + gain * x
        else:
            noise = noise + gain * x
        names.append(kind)
    return noise, music, "+".join(names)


def _excerpt(rng, recordings: Sequence[np.ndarray], n: int) -> np.ndarray:
    """A random stretch of a random recording, repeated where it is short; others are tried where it is silent.

    No recordings stand for all that there are: most get another speed (0.5 to 1.75), some are turned round, and some
    get another, wandering colour.
    """
    x = np.zeros(n, dtype=np.float32)
    for _ in range(EXCERPT_TRIES):
        recording = recordings[int(rng.integers(len(recordings)))]
        speed = int(rng.choice(SPEEDS)) if rng.random() < 0.6 else SAMPLE_RATE
        need = int(n * speed / SAMPLE_RATE) + 16
        start = int(rng.integers(0, recording.shape[0]))
        x = np.take(recording, np.arange(start, start + need), mode="wrap")[:: rng.choice([1, 1, -1])]
        x = resample(np.ascontiguousarray(x), speed, SAMPLE_RATE)[:n]
        if float(np.mean(x**2)) > SILENT_POWER:
            break
    x = unit_power(x)
    return reshaped(rng, x, rng.uniform(2, 8)) if rng.random() < 0.4 else x


def _shaped(rng, parts: np.ndarray) -> np.ndarray:
    """The same random tilt and, one time in four, telephone or low-pass band on all parts `[P, n]`."""
    spectrum = np.fft.rfft(parts, axis=1)
    hz = np.fft.rfftfreq(parts.shape[1], 1 / SAMPLE_RATE)
    gain = 10 ** (rng.normal(0, 1.5) * np.log2(np.maximum(hz, 60) / 1000) / 20)
    if rng.random() < 0.25:
        gain = gain / (1 + (hz / rng.uniform(3000, 7000)) ** 24) ** 0.5
    return np.fft.irfft(spectrum * gain, parts.shape[1], axis=1).astype(np.float32)


def _loudness(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(x**2))) or 1.0


def alternate(names: Sequence[str], held_out: bool) -> list[str]:
    """Every second of the sorted distinct names: the first, third, ... to train on, the others held out."""
    return sorted(set(names))[1 if held_out else 0 :: 2]


def read_mono(path: Path) -> tuple[np.ndarray, int]:
    """First channel of a sound file, `[T]` float32, and its rate."""
    import soundfile

    x, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    return np.ascontiguousarray(x[:, 0]), int(rate)
