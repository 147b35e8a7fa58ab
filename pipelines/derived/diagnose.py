"""Diagnose a version: how predictable each representation is, kept beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...diagnostics.difficulty import difficulty
from ...diagnostics.summary import CodesDiagnosis, diagnose_codes, diagnose_latents
from ...loaders.reading.version import Version
from ...loaders.storage.layout import derived_path
from ...loaders.storage.parts import parquet_bytes
from ...schemas.derived import DIAGNOSTICS_SCHEMA
from ...schemas.pass_tables import DIFFICULTY, DIFFICULTY_SCHEMA
from ...schemas.representation import RepresentationSpec
from ..policy.speakers import kinds_said, version_speakers

MAX_LATENT_FRAMES = 400_000
"""Latent frames looked at by default: at D = 512 a core takes some seconds for them."""

Starts = Callable[[], Iterator[tuple[str, str, np.ndarray]]]
"""Starts a pass over (key, group, `[rows, frames]`)."""


def diagnose(
    version: Version,
    representations: Sequence[str] | None = None,
    *,
    max_frames: int = MAX_LATENT_FRAMES,
    seed: int = 0,
    begin: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Diagnose `representations` (prefixes; default all) of a version, write `derived/<version>/diagnostics.json` and
    one `difficulty-<representation>.parquet` per codes representation; returns the record.

    Units have one record per size, `<representation>/<size>`, and the difficulty of the largest.
    """
    names = [version.representation(r).name for r in representations or sorted(version.document.representations)]
    record: dict[str, Any] = {"schema": DIAGNOSTICS_SCHEMA, "version": version.document.number, "seed": seed}
    found: dict[str, Any] = {}
    for name in names:
        begin(name)
        spec = version.representation(name)
        kind, samples = _samples(version, name)
        if spec.is_codes and spec.cardinality is not None:
            made = {
                label: diagnose_codes(_rows(samples, rows), spec.frame_rate, entries, group_kind=kind, seed=seed)
                for label, rows, entries in streams(spec)
            }
            found |= {label: codes.to_dict() | {"trained": spec.trained} for label, codes in made.items()}
            _keep_difficulty(version, name, [*made.values()][-1])
        else:
            latents = diagnose_latents(samples, spec.frame_rate, group_kind=kind, seed=seed, max_frames=max_frames)
            found[name] = latents.to_dict() | {"trained": spec.trained}
    record["representations"] = found
    data = json.dumps(record, indent=2).encode()
    version.store.put_derived(derived_path(version.document.number, "diagnostics.json"), data)
    return record


def streams(spec: RepresentationSpec) -> list[tuple[str, slice, int]]:
    """(name, rows, entries) of what a codes representation holds: one stream, for units one per size.

    Codebooks of a codec describe a frame together and are coded as a chain. Sizes of units are vocabularies of their
    own over the same frames: a model is trained on one of them.
    """
    sizes = spec.details.get("sizes")
    if sizes:
        return [(f"{spec.name}/{size}", slice(row, row + 1), int(size)) for row, size in enumerate(sizes)]
    assert spec.cardinality is not None
    return [(spec.name, slice(None), spec.cardinality)]


def _rows(samples: Starts, rows: slice) -> Starts:
    return lambda: ((key, group, array[rows]) for key, group, array in samples())


def _samples(version: Version, name: str) -> tuple[str, Starts]:
    """What clips are grouped by, and a function that starts a pass over them."""
    speakers = version_speakers(version)
    live = version.live(name, columns=["clip"])["clip"]
    speakers = speakers.filter(pc.is_in(speakers["clip"], value_set=live.combine_chunks()))
    group = dict(zip(speakers["clip"].to_pylist(), speakers["speaker"].to_pylist(), strict=True))

    def start() -> Iterator[tuple[str, str, np.ndarray]]:
        for sample in version.samples(name):
            yield sample.key, group[sample.key], sample.array

    return kinds_said(speakers["kind"]), start


def _keep_difficulty(version: Version, name: str, codes: CodesDiagnosis) -> None:
    found = difficulty(codes.bits, codes.seconds, codes.groups, codes.halves, codes.half_seconds)
    table = pa.table(
        {
            "clip": pa.array(codes.clip_keys, pa.string()),
            "bits_per_s": pa.array(found.bits_per_second, pa.float64(), from_pandas=True),
            "difficulty": pa.array(found.shrunk, pa.float64(), from_pandas=True),
            "reliability": pa.array(found.reliability, pa.float64(), from_pandas=True),
        },
        schema=DIFFICULTY,
    )
    path = derived_path(version.document.number, f"difficulty-{name}.parquet")
    version.store.put_derived(path, parquet_bytes(table, DIFFICULTY_SCHEMA))
