"""Whether arrays are sound: a sample of each representation, the newest clips first, is read and looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np

from ...loaders.reading.samples import read_arrays
from ...loaders.storage.store import Store
from ...schemas.representation import RepresentationSpec
from ...schemas.sql import quoted

SAMPLED = 64
"""Clips of each representation."""
LEAST_FRAMES = 200
"""Of the sample, below which a codebook that never changes says nothing."""


def array_facts(
    clips: duckdb.DuckDBPyRelation, store: Store, specs: Sequence[RepresentationSpec]
) -> dict[str, int | None]:
    """`arrays_not_finite`: arrays with NaN or infinite values. `codes_out_of_range`: arrays with a code at or beyond
    the cardinality. `dead_codebooks`, `dead_dimensions`: rows that have one value in all frames, of all
    representations. None where no array of that kind was read. Raises `IntegrityError` for an array that is damaged."""
    sums: dict[str, int | None] = dict.fromkeys(
        ("arrays_not_finite", "codes_out_of_range", "dead_codebooks", "dead_dimensions")
    )
    for spec in specs:
        if spec.name not in clips.columns:
            continue
        arrays = [array for _, array in _sampled(clips, store, spec)]
        if not arrays:
            continue
        if spec.cardinality is not None:
            wrong = sum(bool((a >= spec.cardinality).any() or (a < 0).any()) for a in arrays)
            _add(sums, "codes_out_of_range", wrong)
        else:
            _add(sums, "arrays_not_finite", sum(not bool(np.isfinite(a).all()) for a in arrays))
        frames = np.concatenate(arrays, axis=1)
        if frames.shape[1] >= LEAST_FRAMES:
            dead = int((frames == frames[:, :1]).all(axis=1).sum())
            _add(sums, "dead_codebooks" if spec.cardinality is not None else "dead_dimensions", dead)
    return sums


def _sampled(clips: duckdb.DuckDBPyRelation, store: Store, spec: RepresentationSpec) -> Any:
    pointer = quoted(spec.name)
    newest = "introduced DESC, " if "introduced" in clips.columns else ""
    relation = clips.query(
        "clips",
        f"""SELECT clip, {pointer} AS place FROM (
            SELECT clip, {pointer}, {"introduced, " if newest else ""}clip_hash64 FROM clips
            WHERE {pointer}.shard IS NOT NULL ORDER BY {newest}clip_hash64, clip LIMIT {SAMPLED}
        ) ORDER BY {pointer}.shard, {pointer}."offset" """,
    )
    assert relation is not None
    table = relation.to_arrow_table()
    return read_arrays(store, spec, table["clip"].to_pylist(), table["place"].to_pylist())


def _add(sums: dict[str, int | None], name: str, more: int) -> None:
    sums[name] = (sums[name] or 0) + more
