"""Curators and a codec of another package, found by their entry points: cheap, counted, one kills, one hangs."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from auricle.schemas.clip import Clip
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import ConfigError
from auricle.schemas.keys import fingerprint
from auricle.schemas.representation import RepresentationSpec, representation_name
from auricle.schemas.score import Row, ScoreColumn


def count(name: str) -> None:
    """One line per call in the file that COUNT_CALLS names: what a test counts, from any process."""
    if path := os.environ.get("COUNT_CALLS"):
        with open(path, "a") as file:
            file.write(f"{name}\n")


class Loudness:
    """RMS level of a clip."""

    name = "loudness"
    version = 1
    columns = (ScoreColumn("loudness_db", "float32", "dB", "RMS level"),)
    inputs: tuple[str, ...] = ()

    def __init__(self, floor_db: float = -120.0) -> None:
        self.parameters: Mapping[str, Any] = {"floor_db": floor_db}

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.name, self.version, self.parameters)

    def score(self, batch: Sequence[Clip]) -> list[Row]:
        rows: list[Row] = []
        for clip in batch:
            count(self.name)
            power = float(np.mean(np.square(clip.waveform, dtype=np.float64)))
            level = max(10 * np.log10(power + 1e-30), self.parameters["floor_db"])
            rows.append({"loudness_db": level, "reason": None})
        return rows


class Words(Loudness):
    """Number of words of the transcript: depends on a label."""

    name = "words"
    columns = (ScoreColumn("num_words", "int32", "1", "Words of the transcript"),)
    inputs = ("transcript",)

    def score(self, batch: Sequence[Clip]) -> list[Row]:
        rows: list[Row] = []
        for clip in batch:
            count(self.name)
            if clip.transcript is None:
                rows.append({"num_words": None, "reason": "not_applicable: no transcript"})
            else:
                rows.append({"num_words": len(clip.transcript.split()), "reason": None})
        return rows


class Poison(Loudness):
    """Aborts its process on a clip whose first sample is the mark."""

    name = "poison"
    columns = (ScoreColumn("poison_ok", "bool", "1", "The clip did not kill its worker"),)
    MARK = 12345 / 32768

    def score(self, batch: Sequence[Clip]) -> list[Row]:
        for clip in batch:
            count(self.name)
            if clip.waveform[0] == np.float32(self.MARK):
                os.abort()
        return [{"poison_ok": True, "reason": None} for _ in batch]


class Stuck(Poison):
    """Never returns on such a clip, nor lets another thread of Python run meanwhile."""

    name = "stuck"
    columns = (ScoreColumn("stuck_ok", "bool", "1", "The curator came back"),)

    def score(self, batch: Sequence[Clip]) -> list[Row]:
        for clip in batch:
            count(self.name)
            if clip.waveform[0] == np.float32(self.MARK):
                re.match(r"(a+)+$", "a" * 64 + "b")
        return [{"stuck_ok": True, "reason": None} for _ in batch]


class _CheapExtractor:
    def __init__(self, specs: tuple[RepresentationSpec, ...]) -> None:
        self.specs = specs

    def extract(self, waveform: np.ndarray, sample_rate: int) -> Mapping[str, np.ndarray]:
        count("cheap")
        # so that a kill has something to interrupt
        time.sleep(float(os.environ.get("CHEAP_SLEEP_S", "0")))
        frames = -(-waveform.shape[1] // 160)
        padded = np.zeros(frames * 160, dtype=np.float32)
        padded[: waveform.shape[1]] = waveform[0]
        blocks = padded.reshape(frames, 160)
        features = np.stack([blocks[:, i::4].mean(axis=1) for i in range(4)])
        arrays = {}
        for spec in self.specs:
            if spec.is_codes:
                arrays[spec.name] = (np.clip(features, -1, 1) * 127 + 128).astype(np.uint16)
            else:
                arrays[spec.name] = features.astype(spec.dtype)
        return arrays


class _Cheap:
    """A codec without a model: block means of the samples, whatever their rate."""

    name = "cheap"

    def describe(self, config: RepresentationConfig) -> RepresentationSpec:
        if config.kind not in ("codes", "latents"):
            raise ConfigError(f"cheap has codes and latents, not {config.kind!r}")
        codes = config.kind == "codes"
        return RepresentationSpec(
            name=representation_name("cheap", config.kind, 100),
            codec="cheap",
            kind=config.kind,
            frame_rate=100,
            sample_rate=16000,
            frame_size=160,
            rows=4,
            cardinality=256 if codes else None,
            dtype="uint16" if codes else config.dtype,
            fingerprint=fingerprint("cheap", 1, {"kind": config.kind, "dtype": config.dtype, **config.options}),
        )

    def build(self, configs: Sequence[RepresentationConfig]) -> _CheapExtractor:
        return _CheapExtractor(tuple(self.describe(c) for c in configs))

    def load(self, config: RepresentationConfig) -> Any:
        raise ConfigError("cheap cannot be decoded")


CHEAP = _Cheap()
