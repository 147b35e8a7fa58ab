"""Whether stored arrays are what the codec's own package makes of the recordings: a few clips are encoded again.

The audio is read from the source, the array from its shard, so that everything between the two is covered: spans,
pieces, batches, devices, packing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np

from ...extractors.codecs.upstream import Upstream, made_upstream
from ...extractors.coding.registry import describe
from ...loaders.reading.samples import read_arrays
from ...loaders.reading.version import Version
from ...schemas.config import RepresentationConfig
from ...schemas.errors import ClipError, ConfigError, WeightsError
from ...schemas.representation import RepresentationSpec
from ...schemas.sql import quoted
from ..audio.listen import clip_audio
from ..work.hang import Step
from ..work.own_process import run_each

LONGEST_S = 30.0
"""Longer clips are not encoded again: packages that take a clip whole need memory with its length."""

Facts = dict[str, float | int | None]
Job = tuple[Version, RepresentationSpec, RepresentationConfig, list[dict[str, Any]]]
"""A representation, what made it, and the clips to make again."""


def parity_facts(clips: duckdb.DuckDBPyRelation, version: Version, num_clips: int) -> Facts:
    """Of up to `num_clips` clips of each representation, the newest first, in a process of its own:

    `parity_arrays`: arrays that were compared. `parity_codes_differing`: share of the codes that differ.
    `parity_shape_differing`: arrays of another shape. `parity_error`: the largest RMS of a difference over the RMS of
    the array, of continuous values. `parity_fast_...`: the same of representations in a fast mode, whose arrays are not
    promised to be equal. None where nothing was compared. `parity_unread`: clips whose recording cannot be read now.

    clips: the version's clip table. Raises `ConfigError` when the process that compares dies.
    """
    jobs: list[Job] = []
    for entry in version.document.representations.values():
        spec = entry.spec
        if num_clips and made_upstream(spec) and spec.name in clips.columns and (made := _config_of(version, spec)):
            jobs.append((version, spec, made, _sampled(clips, spec, num_clips)))
    jobs = [job for job in jobs if job[3]]
    # all in one process: loading torch is what takes time
    return _merged(next(iter(run_each(_compared, [jobs], _died, workers=1))) if jobs else [])


def _died(_: Any, code: int | None, __: Step | None) -> list[Facts]:
    raise ConfigError(
        f"gate.parity_clips: the process that encodes clips again ended with code {code}, perhaps for want of memory; "
        "0 leaves the comparison out"
    )


def _compared(jobs: Sequence[Job]) -> list[Facts]:
    found: list[Facts] = []
    for version, spec, config, rows in jobs:
        try:
            again = Upstream(config, spec)
        except (WeightsError, ImportError):
            # weights may be where the workers are only
            continue
        fast = str(spec.details.get("mode", "exact")) != "exact"
        stored = read_arrays(version.store, spec, [r["clip"] for r in rows], [r["pointer"] for r in rows])
        for row, (_, array) in zip(rows, stored, strict=True):
            try:
                waveform, rate = clip_audio(version, row)
                made = again(waveform[None], rate)
            except ClipError:
                found.append({"parity_unread": 1})
                continue
            facts = compare(array, made, spec.is_codes)
            found.append({name.replace("parity_", "parity_fast_") if fast else name: v for name, v in facts.items()})
    return found


def compare(stored: np.ndarray, made: np.ndarray, codes: bool) -> Facts:
    """Two arrays `[rows, frames]` of one clip. Of another shape: nothing else is said of them."""
    if stored.shape != made.shape:
        return {"parity_arrays": 1, "parity_shape_differing": 1}
    if codes:
        return {
            "parity_arrays": 1,
            "parity_shape_differing": 0,
            "parity_codes": stored.size,
            "parity_codes_differing": int((stored.astype(np.int64) != made.astype(np.int64)).sum()),
        }
    scale = float(np.sqrt(np.square(made.astype(np.float64)).mean())) if made.size else 0.0
    apart = float(np.sqrt(np.square(stored.astype(np.float64) - made).mean())) if made.size else 0.0
    error = apart / scale if scale else (0.0 if apart == 0 else math.inf)
    return {"parity_arrays": 1, "parity_shape_differing": 0, "parity_error": error}


def _merged(found: Sequence[Facts]) -> Facts:
    """Sums, the share of codes, and the largest error."""
    merged: Facts = {"parity_unread": sum(int(f.get("parity_unread") or 0) for f in found)}
    for prefix in ("parity_", "parity_fast_"):
        of = [f for f in found if f"{prefix}arrays" in f]
        total = sum(f.get(f"{prefix}codes") or 0 for f in of)
        differing = sum(f.get(f"{prefix}codes_differing") or 0 for f in of)
        errors = [float(e) for f in of if (e := f.get(f"{prefix}error")) is not None]
        merged |= {
            f"{prefix}arrays": len(of) or None,
            f"{prefix}shape_differing": sum(int(f[f"{prefix}shape_differing"] or 0) for f in of) if of else None,
            f"{prefix}codes_differing": differing / total if total else None,
            f"{prefix}error": max(errors, default=None),
        }
    return merged


def _sampled(clips: duckdb.DuckDBPyRelation, spec: RepresentationSpec, count: int) -> list[dict[str, Any]]:
    """Rows of short clips that have the representation, each with its `pointer`."""
    pointer, have = quoted(spec.name), set(clips.columns)
    newest = "introduced DESC, " if "introduced" in have else ""
    # a stereo codec was given all channels of a group of clips, which are not read together here
    alone = 'AND "group" IS NULL' if spec.channels > 1 and "group" in have else ""
    relation = clips.query(
        "clips",
        f"""SELECT clip, source, path, recording, channel, start, "end", sample_rate, {pointer} AS pointer FROM clips
        WHERE {pointer}.shard IS NOT NULL AND "end" - start <= {LONGEST_S} * sample_rate {alone}
        ORDER BY {newest}clip_hash64, clip LIMIT {count}""",
    )
    assert relation is not None
    return relation.to_arrow_table().to_pylist()


def _config_of(version: Version, spec: RepresentationSpec) -> RepresentationConfig | None:
    """What made a representation; None where codec or weights are others by now, or are not here."""
    for raw in version.document.config.get("representations", []):
        config = RepresentationConfig.model_validate(raw)
        try:
            if describe(config).fingerprint == spec.fingerprint:
                return config
        except (ConfigError, WeightsError):
            continue
    return None
