"""Exports as tables: a folder that `datasets` loads, a Delta table, a manifest of audio files."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...schemas.counted import counted
from ...schemas.errors import MissingExtraError
from ...schemas.representation import RepresentationSpec
from ...schemas.score import ScoreColumn
from ...schemas.sources import is_address, source_paths, uri_prefix
from ...schemas.tables import clip_schema
from ..reading.version import Version
from ..reading.where import Where
from ..storage.parts import read_columns
from ..storage.store import Store
from .export_rows import Exported, carried_names, fact_schema


def hf(
    target: Store,
    version: Version,
    batches: Iterator[list[Exported]],
    fields: Mapping[str, RepresentationSpec],
    shard_bytes: int,
) -> int:
    """`data/train-00000.parquet`, ..., and a README.md that names them: `datasets.load_dataset(folder)` opens it.

    Arrays are lists of rows, in their stored type. Returns the rows.
    """
    types = {name: pa.list_(pa.list_(pa.from_numpy_dtype(np.dtype(spec.dtype)))) for name, spec in fields.items()}
    schema = fact_schema(version)
    for name, kind in types.items():
        schema = schema.append(pa.field(name, kind))
    count = number = size = 0
    held: list[pa.Table] = []

    def flush() -> None:
        nonlocal number, size
        if held:
            buffer = io.BytesIO()
            pq.write_table(pa.concat_tables(held), buffer, compression="zstd", row_group_size=1024)
            target.put_new(f"data/train-{number:05d}.parquet", buffer.getvalue())
            number, size = number + 1, 0
            held.clear()

    for batch in batches:
        facts = pa.Table.from_pylist([s.facts for s in batch], schema=fact_schema(version))
        columns = [_lists([s.array(name) for s in batch], kind) for name, kind in types.items()]
        held.append(pa.table([*facts.columns, *columns], schema=schema))
        size += held[-1].nbytes
        count += len(batch)
        if size >= shard_bytes:
            flush()
    flush()
    target.put_new("README.md", _card(version, fields, count).encode())
    return count


def manifest(target: Store, version: Version, batches: Iterator[list[Exported]]) -> tuple[int, int]:
    """`manifest.jsonl`, NeMo style: where each kept clip is in its audio file, its text and its scores.

    Returns clips written, and clips left out because their path was redacted.
    """
    prefixes = {name: uri_prefix(path) for name, path in source_paths(version.document.config).items()}
    lines = io.BytesIO()
    count = hidden = 0
    for sample in (s for batch in batches for s in batch):
        facts = sample.facts
        if facts["path"] is None:
            hidden += 1
            continue
        line = {
            "audio_filepath": ("" if is_address(facts["path"]) else prefixes.get(facts["source"], "")) + facts["path"],
            "offset": facts["start"] / facts["sample_rate"],
            "duration": facts["duration_s"],
            "text": facts["transcript"],
            "lang": facts["language"],
        }
        same = ("path", "start", "end", "duration_s", "transcript", "language")
        line |= {name: value for name, value in facts.items() if name not in same}
        lines.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        count += 1
    target.put_new("manifest.jsonl", lines.getvalue())
    return count, hidden


def delta(target: Store, version: Version, where: str | None, names: tuple[str, ...]) -> int:
    """A Delta table of the clip table, kept or not, with pointers into the shards of `names`; returns the rows."""
    try:
        from deltalake import CommitProperties, write_deltalake
    except ModuleNotFoundError as error:
        raise MissingExtraError("export --to delta", "export", "deltalake") from error
    schema = _table_schema(version, names)
    count = 0

    def parts() -> Iterator[pa.RecordBatch]:
        nonlocal count
        for file in version.files():
            table = read_columns(file)
            if where is not None:
                table = table.filter(Where(where, table.schema).mask(table))
            for field in schema:
                if field.name not in table.column_names:
                    table = table.append_column(field, pa.nulls(table.num_rows, field.type))
            count += table.num_rows
            yield from table.select(schema.names).cast(schema).to_batches()

    document = version.document
    about = {
        "auricle.version": document.number,
        "auricle.sha256": version.sha256,
        "auricle.dataset": version.store.url,
    }
    write_deltalake(
        str(target.root) if target.root else target.url,
        pa.RecordBatchReader.from_batches(schema, parts()),
        mode="error",
        # old versions of the table must stay readable: the default removes their log after 30 days
        configuration={"delta.enableExpiredLogCleanup": "false"},
        commit_properties=CommitProperties(custom_metadata=about),
    )
    return count


def _table_schema(version: Version, names: tuple[str, ...]) -> pa.Schema:
    curators = {
        name: [ScoreColumn(c["name"], c["dtype"], c.get("unit", ""), "") for c in entry.columns]  # pyright: ignore[reportArgumentType]
        for name, entry in version.document.curators.items()
    }
    return clip_schema(curators, names, carried_names(version.document.config))


def _lists(arrays: list[np.ndarray], kind: pa.DataType) -> pa.Array:
    """Arrays `[rows, frames]` as one column of lists of lists, without a Python object per value."""
    rows = np.cumsum([0, *(a.shape[0] for a in arrays)])
    frames = np.cumsum([0, *(a.shape[1] for a in arrays for _ in range(a.shape[0]))])
    values = np.concatenate([a.reshape(-1) for a in arrays])
    inner = pa.ListArray.from_arrays(pa.array(frames, pa.int32()), pa.array(values))
    return pa.ListArray.from_arrays(pa.array(rows, pa.int32()), inner).cast(kind)


def _card(version: Version, fields: Mapping[str, RepresentationSpec], count: int) -> str:
    document = version.document
    lines: list[Any] = [
        "---",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        "    path: data/*.parquet",
        "---",
        f"# Version {document.number} of an auricle dataset",
        "",
        f"{counted(count, 'clip')}, exported from the version document with SHA-256 `{version.sha256}`.",
        "",
        "| column | what | shape | rate |",
        "|-|-|-|-|",
    ]
    for name, spec in fields.items():
        trained = "" if spec.trained else " (untrained weights: shapes are real, values mean nothing)"
        shape = f"{spec.dtype} [{spec.rows}, frames]"
        lines.append(f"| {name} | {spec.name}{trained} | {shape} | {spec.frame_rate:g} Hz |")
    return "\n".join([*lines, ""])
