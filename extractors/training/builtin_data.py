"""Speech for training the built-in codec: folders with a `transcripts.tsv`, split by speaker."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from pydantic import Field

from ...schemas.config import Strict
from ...schemas.errors import ConfigError
from ...schemas.keys import digest


class SpeechSource(Strict):
    """One folder of recordings with a `transcripts.tsv` (columns file and speaker)."""

    path: Path = Field(description="Folder of the recordings")
    licence: str = Field(description="Licence of the recordings, as the card will say it")
    exclude: list[str] = Field(default_factory=list, description="Leave out files whose name contains one of these")


@dataclass(frozen=True)
class Utterance:
    """One recording, `[T]` float32 at the codec's rate."""

    name: str
    speaker: str
    waveform: np.ndarray


@dataclass(frozen=True)
class Speech:
    """Training and held-out utterances; no speaker is in both."""

    train: list[Utterance]
    held_out: list[Utterance]
    digest: str
    """32 hex digits over the names and bytes of all files, held-out ones included."""


def is_held_out(speaker: str, share: float) -> bool:
    """Whether `speaker` belongs to the held-out `share`, by hash: adding data never moves a speaker across."""
    return hashlib.sha256(speaker.encode()).digest()[0] < 256 * share


def load_speech(sources: list[SpeechSource], sample_rate: int, held_out_share: float) -> Speech:
    """Decode, mix to mono, resample. Raises `ConfigError` when a source has no list or a split is empty."""
    train: list[Utterance] = []
    held_out: list[Utterance] = []
    parts: list[str] = []
    for source in sources:
        table = source.path / "transcripts.tsv"
        if not table.is_file():
            raise ConfigError(f"training source {source.path} has no transcripts.tsv with columns file and speaker")
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        for row in sorted(rows, key=lambda r: r["file"]):
            if any(part in row["file"] for part in source.exclude):
                continue
            path = source.path / row["file"]
            parts += [f"{source.path.name}/{row['file']}", hashlib.sha256(path.read_bytes()).hexdigest()]
            utterance = Utterance(f"{source.path.name}/{row['file']}", row["speaker"], read_mono(path, sample_rate))
            (held_out if is_held_out(row["speaker"], held_out_share) else train).append(utterance)
    if not train or not held_out:
        raise ConfigError(f"{len(train)} utterances to train on and {len(held_out)} held out: both must be above 0")
    return Speech(train, held_out, digest(*parts))


def read_mono(path: Path, sample_rate: int) -> np.ndarray:
    """The file's first channel, `[T]` float32 at `sample_rate`."""
    import torch
    from torchaudio.functional import resample

    samples, rate = sf.read(path, dtype="float32", always_2d=True)
    return resample(torch.from_numpy(samples[:, 0].copy()), rate, sample_rate).numpy()


class Crops:
    """Random crops with random gain; batch `i` depends on the seed and `i` alone, so that training can resume."""

    def __init__(self, utterances: list[Utterance], batch: int, length: int, seed: int) -> None:
        # one line of speech: crops across a joint are rare and harmless
        self.line = np.concatenate([u.waveform for u in utterances])
        self.batch, self.length, self.seed = batch, length, seed

    def __call__(self, step: int) -> np.ndarray:
        """`[B, 1, length]` float32 in [-1, 1]."""
        rng = np.random.default_rng([self.seed, step])
        starts = rng.integers(0, len(self.line) - self.length, size=self.batch)
        gain = 10 ** (rng.uniform(-12.0, 6.0, size=(self.batch, 1)) / 20)
        crops = np.stack([self.line[s : s + self.length] for s in starts]) * gain
        return crops.clip(-1, 1).astype(np.float32)[:, None]
