"""Test material for the curators' accuracy: held-out speakers, noises and rooms, mixed so that the truth is known.

The development recordings lie beside the checkout (`../shared/data`). Speakers, noise files and music files are split
by `auricle.curators.training.mixtures.alternate`: networks see the first half, everything here comes from the other.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from auricle.curators.signal.level import active_speech_power
from auricle.curators.training import rooms, synthetic
from auricle.curators.training.colours import unit_power
from auricle.curators.training.mixtures import Utterance, alternate, read_mono, utterance
from auricle.curators.waveform import resample

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
RATE = 16_000
CORPORA = (
    "librispeech_test_other",
    "librispeech_train_unlabelled",
    "ljspeech",
    "cmu_arctic",
    "picovoice_multilingual",
    "pocketsphinx_librivox",
    "speechbrain_asr",
    "speechocean762",
    "vctk_noisy_pairs",
)
CLEAN_FLOOR_DB = 30.0
"""Speech over the recording's own noise, from which a clip serves as clean speech."""
LONGEST_S = 8.0


@dataclass(frozen=True, slots=True)
class Case:
    """One test clip at 16 kHz with its truth."""

    waveform: np.ndarray
    truth: float
    condition: str
    speaker: str
    disturbance: str = ""
    nominal: float = float("nan")


def labelled_files() -> list[tuple[Path, str]]:
    """Every file of the clean corpora with its speaker ("corpus/speaker"); noisy and transcoded twins left out."""
    out = []
    for corpus in CORPORA:
        table = DATA / "speech" / corpus / "transcripts.tsv"
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                if "noisy" not in row["file"] and not row["file"].endswith(".mp3"):
                    out.append((table.parent / row["file"], f"{corpus}/{row['speaker']}"))
    return out


@cache
def utterances(held_out: bool) -> tuple[Utterance, ...]:
    """Clean speech of one half of the speakers, over `CLEAN_FLOOR_DB` when held out (27 dB to train on)."""
    files = labelled_files()
    speakers = set(alternate([speaker for _, speaker in files], held_out))
    least = CLEAN_FLOOR_DB if held_out else 27.0
    made = (utterance(*read_mono(path), speaker) for path, speaker in files if speaker in speakers)
    return tuple(u for u in made if u is not None and u.floor_db >= least)


@cache
def recordings(folder: str, held_out: bool) -> tuple[tuple[str, np.ndarray], ...]:
    """(name, `[T]` at 16 kHz) of one half of the files in `noise` or `music`."""
    names = [p.name for p in (DATA / folder).iterdir() if p.suffix in (".flac", ".ogg", ".wav")]
    return tuple((n, resample(*read_mono(DATA / folder / n), RATE)) for n in alternate(names, held_out))


@cache
def recorded_responses() -> tuple[tuple[str, np.ndarray], ...]:
    """(name, `[T]` at 16 kHz from the direct sound on) of every channel of every recorded impulse response."""
    import soundfile

    out = []
    for path in sorted((DATA / "rir").glob("*.wav")):
        x, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
        for channel in range(x.shape[1]):
            h = resample(np.ascontiguousarray(x[:, channel]), rate, RATE)
            start = int(np.argmax(np.abs(h) >= 0.1 * np.abs(h).max()))
            out.append((f"{path.stem}:{channel}", h[start:] / np.abs(h[start:]).max()))
    return tuple(out)


def image_rooms(count: int, seed: int) -> list[np.ndarray]:
    """Responses of random shoebox rooms."""
    rng = np.random.default_rng(seed)
    return [rooms.random_response(rng) for _ in range(count)]


def crop(rng: np.random.Generator, u: Utterance, longest_s: float = LONGEST_S) -> np.ndarray:
    """The utterance, or a random stretch of `longest_s` of it."""
    n = int(longest_s * RATE)
    if u.waveform.shape[0] <= n:
        return u.waveform
    start = int(rng.integers(0, u.waveform.shape[0] - n + 1))
    return u.waveform[start : start + n]


def disturbances(rng: np.random.Generator, speaker: str) -> Iterator[tuple[str, str, np.ndarray]]:
    """(condition, name, at least 8 s at 16 kHz) of every held-out noise, one random stretch each."""
    n = int(LONGEST_S * RATE)
    stationary = ("white", "pink")
    for name, family in synthetic.TEST_NOISES.items():
        yield ("stationary" if name in stationary else "synthetic", name, family(rng, n))
    for name, family in synthetic.TEST_MUSIC.items():
        yield "music", name, family(rng, n)
    others = [u for u in utterances(True) if u.speaker != speaker]
    voices = []
    for _ in range(6):
        x = others[int(rng.integers(len(others)))].waveform
        voices.append(np.take(x, np.arange(n) + int(rng.integers(x.shape[0])), mode="wrap"))
    yield "babble", "babble", unit_power(np.sum([unit_power(v) for v in voices], axis=0))
    for condition, folder in (("recorded", "noise"), ("music", "music")):
        for name, x in recordings(folder, True):
            start = int(rng.integers(0, x.shape[0]))
            yield condition, name, np.take(x, np.arange(start, start + n), mode="wrap")


def mix(speech: np.ndarray, noise: np.ndarray, snr_db: float, floor_db: float) -> tuple[np.ndarray, float]:
    """Speech with noise at `snr_db` (P.56 active level over mean noise), and the truth with the speech's own noise."""
    noise = noise[: speech.shape[0]]
    active, _ = active_speech_power(speech, RATE)
    power = float(np.mean(noise.astype(np.float64) ** 2))
    gain = np.sqrt(active / max(power, 1e-20) / 10 ** (snr_db / 10))
    truth = -10 * np.log10(10 ** (-snr_db / 10) + 10 ** (-floor_db / 10))
    return (speech + np.float32(gain) * noise).astype(np.float32), float(truth)


def snr_cases(per_speaker: int = 2, seed: int = 7) -> Iterator[Case]:
    """Natural clips in every held-out noise at two levels of 0 to 30 dB, and one of -5, 35, 40."""
    rng = np.random.default_rng(seed)
    for speaker in sorted({u.speaker for u in utterances(True)}):
        own = [u for u in utterances(True) if u.speaker == speaker]
        for u in own[:per_speaker]:
            for condition, name, noise in disturbances(rng, speaker):
                for snr in (*rng.choice(np.arange(0, 31, 5), 2, replace=False), rng.choice([-5, 35, 40])):
                    x = crop(rng, u)
                    mixed, truth = mix(x, noise, float(snr), u.floor_db)
                    yield Case(mixed, truth, condition, speaker, name, float(snr))


def no_pause_cases(per_speaker: int = 2, seed: int = 8, seconds: float = 2.5) -> Iterator[Case]:
    """Stretches of `seconds` in which the detector hears speech in all 32 ms frames but one, in every noise."""
    rng = np.random.default_rng(seed)
    size = int(seconds * RATE) // 512
    for speaker in sorted({u.speaker for u in utterances(True)}):
        found = 0
        for u in (u for u in utterances(True) if u.speaker == speaker):
            speech = np.concatenate([[0], np.cumsum(u.probabilities >= 0.5)])
            starts = np.flatnonzero(speech[size:] - speech[:-size] >= size - 1)
            if not starts.size or found == per_speaker:
                continue
            found += 1
            for condition, name, noise in disturbances(rng, speaker):
                start = int(rng.choice(starts)) * 512
                x = u.waveform[start : start + size * 512]
                mixed, truth = mix(x, noise, float(rng.choice(np.arange(0, 31, 5))), u.floor_db)
                yield Case(mixed, truth, condition, speaker, name)


def room_cases(seed: int = 9, per_response: int = 4, snr_db: float | None = None) -> Iterator[Case]:
    """Held-out speech in each recorded response and in 60 unseen image-method rooms; the truth is the C50."""
    rng = np.random.default_rng(seed)
    responses = [("recorded", n, h) for n, h in recorded_responses()]
    responses += [("image", f"room{i}", h) for i, h in enumerate(image_rooms(60, 4242))]
    pool = utterances(True)
    for kind, name, h in responses:
        for _ in range(per_response if kind == "recorded" else max(1, per_response // 2)):
            u = pool[int(rng.integers(len(pool)))]
            x = rooms.reverberate(crop(rng, u), h)
            if snr_db is not None:
                x, _ = mix(x, synthetic.pink(rng, x.shape[0]), snr_db, 90.0)
            yield Case(x, rooms.c50_db(h, RATE), kind, u.speaker, name)
