"""The score pass: run the curators that a clip is missing. Nothing is decided here, early exit apart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from ...curators.registry import __name__ as _REGISTRY
from ...curators.registry import build
from ...schemas.clip import Clip
from ...schemas.condition import Rule
from ...schemas.errors import ClipError
from ...schemas.keys import digest
from ...schemas.pass_tables import ERROR_FIELDS
from ...schemas.score import SKIPPED, Curator, score_struct, sigma_name
from ...schemas.tables import FailureReason
from ...schemas.worker_config import Workers
from ..audio.clip_reader import read_clips
from ..work.contract import Result, failure
from ..work.hang import HUNG
from .measure import FAILED, measure

BUILT_IN = _REGISTRY.removesuffix("registry")
"""Modules of curators whose models may be loaded before there is a clip."""
BATCH_CLIPS = 16
BATCH_S = 120.0
"""A batch of clips ends at either bound: enough for curators that batch, little memory."""
CHEAP_FIRST = (
    *("signal", "text", "channels", "vad", "snr", "reverb", "content", "quality", "duplicates"),
    *("voice", "dnsmos", "alignment", "transcript_ctc"),
)
"""Order of the curators, cheapest first, measured in docs/curators.md; matters only for early exit."""


@dataclass(frozen=True)
class ScoreRecipe:
    """Items: what `clip_reader.read_clips` needs, transcript_sha256, and `curators`: comma-separated names to run."""

    curators: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]]
    early_exit: tuple[Rule, ...] = ()
    limit_s: float = Workers().limit_s
    name: str = "score"

    @cached_property
    def _curators(self) -> list[Curator]:
        return build(self.curators, self.options)

    @property
    def schema(self) -> pa.Schema:
        structs = [pa.field(c.name, score_struct(c.columns)) for c in sorted(self._curators, key=lambda c: c.name)]
        return pa.schema([pa.field("key", pa.string()), *ERROR_FIELDS, *structs])

    @property
    def fingerprint(self) -> str:
        rules = [rule.model_dump_json() for rule in self.early_exit]
        return digest(*(c.fingerprint for c in self._curators), *rules)

    def build(self) -> _Score:
        return _Score(self._curators, self.early_exit, self.limit_s)

    def __reduce__(self) -> tuple[type[ScoreRecipe], tuple[Any, ...]]:
        return type(self), (self.curators, self.options, self.early_exit, self.limit_s)


def score_inputs(inputs: Sequence[str], item: Mapping[str, Any]) -> str:
    """What of a clip's labels a score was computed from; a change of it makes the score stale."""
    values = {
        "transcript": "transcript_sha256",
        "language": "language",
        "speaker": "speaker",
        "recording": "recording_sound",
    }
    return "|".join(item.get(values[name]) or "" for name in inputs)


class _Score:
    def __init__(self, curators: Sequence[Curator], early_exit: Sequence[Rule], limit_s: float) -> None:
        rank = {name: i for i, name in enumerate(CHEAP_FIRST)}
        self._curators = sorted(curators, key=lambda c: (rank.get(c.name, len(rank)), c.name))
        self._dtypes = {column.name: column.dtype for curator in self._curators for column in curator.columns}
        self._early_exit, self._limit_s = early_exit, limit_s

    def warm(self) -> None:
        """Have the built-in curators load their models, by a second of noise, of which nothing is kept."""
        noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
        clip = Clip(key="", waveform=noise, sample_rate=16000, transcript="one two three", language="en")
        for curator in self._curators:
            if type(curator).__module__.startswith(BUILT_IN):
                # what is wrong with it is said by the first clip
                with contextlib.suppress(Exception):
                    curator.score([clip])

    def __call__(self, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        batch: list[tuple[dict[str, Any], Clip]] = []
        for item, clip in read_clips(items):
            if isinstance(clip, ClipError):
                yield from self._flush(batch)
                yield failure(item, clip.reason, clip.message)
                continue
            batch.append((item, clip))
            if len(batch) == BATCH_CLIPS or sum(c.duration_s for _, c in batch) >= BATCH_S:
                yield from self._flush(batch)
        yield from self._flush(batch)

    def _flush(self, batch: list[tuple[dict[str, Any], Clip]]) -> Iterator[Result]:
        if batch:
            yield from self._score(batch)
            batch.clear()

    def _score(self, batch: Sequence[tuple[dict[str, Any], Clip]]) -> Iterator[Result]:
        rows: list[dict[str, Any]] = [{"key": item["key"]} for item, _ in batch]
        wanted = [set(item["curators"].split(",")) for item, _ in batch]
        hung: list[Mapping[str, str]] = [item.get(HUNG, {}) for item, _ in batch]
        dropped: dict[int, str] = {}
        for curator in self._curators:
            asked = [i for i in range(len(batch)) if curator.name in wanted[i] and i not in dropped]
            chosen = [i for i in asked if curator.name not in hung[i]]
            scores = iter(measure(curator, [batch[i][1] for i in chosen], self._limit_s))
            for i in range(len(batch)):
                if curator.name not in wanted[i]:
                    continue
                if i in dropped:
                    found = {"reason": f"{SKIPPED}: {dropped[i]}"}
                elif i in chosen:
                    found = next(scores)
                else:
                    found = {"reason": f"{FAILED}: {FailureReason.TIMED_OUT}: {hung[i][curator.name]}"}
                rows[i][curator.name] = {
                    "fingerprint": curator.fingerprint,
                    "inputs": score_inputs(curator.inputs, batch[i][0]),
                    **found,
                }
            for i in chosen:
                if why := _dropped_already(self._early_exit, rows[i], self._dtypes):
                    dropped[i] = why
        for row, (_, clip) in zip(rows, batch, strict=True):
            yield Result(row, audio_s=clip.duration_s)


def _dropped_already(rules: Sequence[Rule], row: Mapping[str, Any], dtypes: Mapping[str, str]) -> str | None:
    """The first rule that the scores so far break, for early exit; nulls never break one here."""
    values = {name: v for struct in row.values() if isinstance(struct, dict) for name, v in struct.items()}
    measured = ((rule, values.get(rule.score), values.get(sigma_name(rule.score))) for rule in rules)
    broken = (
        rule
        for rule, value, sigma in measured
        if value is not None and rule.for_share(rule.wrong_share or 0.5).drops(value, dtypes[rule.score], sigma=sigma)
    )
    return next((rule.text for rule in broken), None)
