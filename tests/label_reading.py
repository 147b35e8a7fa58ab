"""Reads the labels of a folder as a run does: recognised, counted, and each given to its recording."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from auricle.pipelines.labels.read import Tally, read_labels
from auricle.pipelines.labels.resolve import resolve
from auricle.pipelines.labels.rows import LABELS
from auricle.pipelines.listing.files import FILES, list_sources
from auricle.schemas.source_config import Source

Rows = list[dict[str, Any]]
AUDIO = b"x"
"""Bytes of a recording that nobody decodes."""


def lines(*rows: Any) -> str:
    """A file of JSON lines."""
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def words(row: dict[str, Any]) -> list[tuple[str, float, float]]:
    """(word, start, end) of a row, seconds."""
    return [(w["word"], w["start_s"], round(w["end_s"], 6)) for w in row["words"]]


def source(root: Path, **options: object) -> Source:
    return Source.model_validate({"path": str(root), **options})


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    """Files by name, packed where they end with .gz; audio is bytes that nobody decodes."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return root


def read(given: Source) -> tuple[Rows, list[str]]:
    """(label rows with the paths of their recordings, notices)."""
    notices: list[str] = []
    files = pa.Table.from_batches(list_sources([given], notices), FILES)
    tallies: list[Tally] = []
    paths = sorted(files["path"].to_pylist())
    read = pa.Table.from_batches(read_labels([given], lambda _: paths, tallies), LABELS)
    with duckdb.connect() as db:
        db.register("labels_read", read)
        db.register("files_listed", files)
        several = resolve(db)
        rows = db.sql("SELECT * FROM labels").to_arrow_table().to_pylist()
    notices += [tally.notice() for tally in tallies]
    notices += [f"{count} names fit several, for example {example}" for _, count, example in several]
    notices = [notice for notice in notices if "no audio files" not in notice]
    rows.sort(key=lambda r: (r["path"], -1 if r["channel"] is None else r["channel"], r["start_s"] or 0.0))
    return rows, notices


def texts(given: Source) -> list[tuple[str, str | None]]:
    return [(row["path"], row["transcript"]) for row in read(given)[0]]


def spans(given: Source) -> list[tuple[str, float, float, str | None]]:
    rows, _ = read(given)
    return [(r["path"], r["start_s"], round(r["start_s"] + r["duration_s"], 6), r["transcript"]) for r in rows]
