"""What exports are made of: live clips with their facts, and the arrays of the representations asked for."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...schemas.representation import RepresentationSpec
from ...schemas.tables import CARRIED, CLIP_CORE, POINTER, Status
from ..care.moving import read_payloads
from ..reading.version import Version
from ..reading.where import Where
from ..storage.parts import read_columns

ROWS_AT_ONCE = 256
BYTES_AT_ONCE = 64 << 20
"""Clips whose arrays are in memory at once: at most so many, and no more than so many bytes unless one alone has."""
LEFT_OUT = ("status", "reasons", "message", "clip_hash64", "transcript_sha256", "duplicate_of", "introduced")
"""Core columns that say nothing about a kept clip."""


@dataclass(frozen=True)
class Exported:
    """One live clip."""

    key: str
    facts: dict[str, Any]
    """Core columns and scores, flat, and the struct `carried`, null where absent; the same keys for every clip."""
    payloads: dict[str, bytes]
    """Field to .npy bytes."""

    def array(self, field: str) -> np.ndarray:
        """`[K, T]` codes or `[D, T]` values."""
        return np.load(io.BytesIO(self.payloads[field]), allow_pickle=False)


def fields_of(specs: Sequence[RepresentationSpec]) -> dict[str, RepresentationSpec]:
    """Names without dots for representations in files of other tools: the kind where it is the only one of it."""
    kinds = Counter(spec.kind for spec in specs)
    return {
        (spec.kind if kinds[spec.kind] == 1 else re.sub(r"[^a-z0-9]+", "_", spec.name.lower())): spec for spec in specs
    }


def fact_schema(version: Version) -> pa.Schema:
    """Types of `Exported.facts`: core columns, what the labels carry (a struct, where they do), scores."""
    columns = [f for f in CLIP_CORE if f.name not in LEFT_OUT]
    if names := carried_names(version.document.config):
        columns.append(pa.field(CARRIED, pa.struct([pa.field(name, pa.string()) for name in names])))
    types = {"float32": pa.float32(), "int32": pa.int32(), "bool": pa.bool_(), "string": pa.string()}
    for entry in version.document.curators.values():
        columns += [pa.field(c["name"], types[c["dtype"]]) for c in entry.columns if c["dtype"] in types]
    return pa.schema([pa.field(f.name, f.type) for f in columns])


def carried_names(config: Mapping[str, Any]) -> list[str]:
    """Columns that the sources of a version's configuration carry, as the clip table has them."""
    sources = [source for source in config.get("sources") or () if isinstance(source, Mapping)]
    return sorted({str(name) for source in sources for name in source.get("carry") or ()})


def exported(version: Version, fields: dict[str, RepresentationSpec], where: str | None) -> Iterator[list[Exported]]:
    """Live clips in batches, in the order of the parts and then of the first representation's shards; only clips that
    have all of `fields`."""
    schema = fact_schema(version)
    for file in version.files():
        table = read_columns(file)
        if where is not None:
            table = table.filter(Where(where, pq.read_schema(file)).mask(table))
        table = table.filter(pc.equal(table["status"], Status.KEPT.value))
        for spec in fields.values():
            table = _having(table, spec.name)
        if fields and table.num_rows:
            order = {s.sha256: i for i, s in enumerate(_first(version, fields))}
            pointer = table[next(iter(fields.values())).name].combine_chunks()
            place = pa.table(
                {
                    "shard": pa.array([order[s] for s in pc.struct_field(pointer, "shard").to_pylist()], pa.int64()),
                    "offset": pc.struct_field(pointer, "offset"),
                }
            )
            table = table.take(pc.sort_indices(place, [("shard", "ascending"), ("offset", "ascending")]))
        facts = _flat(table, version, schema)
        for start, count in _batches(table, [spec.name for spec in fields.values()]):
            rows = table.slice(start, count)
            held = {field: _payloads(version, spec, rows) for field, spec in fields.items()}
            yield [
                Exported(row["clip"], row, {field: payloads[i] for field, payloads in held.items()})
                for i, row in enumerate(facts.slice(start, count).to_pylist())
            ]


def _batches(table: pa.Table, names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(first row, rows) of batches that stay within both bounds."""
    sizes = np.zeros(table.num_rows, np.int64)
    for name in names:
        sizes += pc.struct_field(table[name], "nbytes").to_numpy().astype(np.int64)
    start = held = 0
    for row, size in enumerate(sizes.tolist()):
        if row > start and (row - start == ROWS_AT_ONCE or held + size > BYTES_AT_ONCE):
            yield start, row - start
            start, held = row, 0
        held += size
    if start < table.num_rows:
        yield start, table.num_rows - start


def _first(version: Version, fields: dict[str, RepresentationSpec]) -> Sequence[Any]:
    return version.document.representations[next(iter(fields.values())).name].shards


def _having(table: pa.Table, name: str) -> pa.Table:
    if name not in table.column_names:
        return table.slice(0, 0).append_column(name, pa.nulls(0, POINTER))
    return table.filter(pc.is_valid(pc.struct_field(table[name], "shard")))


def _payloads(version: Version, spec: RepresentationSpec, rows: pa.Table) -> list[bytes]:
    pointers = [
        pointer | {"clip": clip}
        for pointer, clip in zip(rows[spec.name].to_pylist(), rows["clip"].to_pylist(), strict=True)
    ]
    return read_payloads(version.store, spec, pointers)


def _flat(table: pa.Table, version: Version, schema: pa.Schema) -> pa.Table:
    """Core columns and scores side by side, as `schema` says."""
    owner = {c["name"]: name for name, entry in version.document.curators.items() for c in entry.columns}
    columns = []
    for field in schema:
        if field.name in owner and owner[field.name] in table.column_names:
            columns.append(pc.struct_field(table[owner[field.name]], field.name).cast(field.type))
        elif field.name in table.column_names:
            columns.append(table[field.name])
        else:
            columns.append(pa.nulls(table.num_rows, field.type))
    return pa.table(columns, schema=schema)
