"""Tombstones: what was taken down and must never come back, by hash; no text, no path, no speaker.

Each takedown leaves one Parquet file under `tombstones/`. A row bans a whole recording (no span), or a span of one
channel and every clip with the same samples; a row with `redact` bans only text and paths of the recording.
"""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ..storage.hashed_table import put_hashed, read_hashed
from ..storage.store import Store

TOMBSTONES_SCHEMA = "auricle.tombstones/1"
TOMBSTONES = pa.schema(
    [
        pa.field("recording", pa.string()),  # SHA-256 of the file's bytes
        pa.field("channel", pa.int16()),  # null with start and end: the whole recording
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("pcm_sha256", pa.string()),  # of the samples of the clip that the span is, or is a part of
        pa.field("redact", pa.bool_()),  # text and paths only
    ]
)


def put_tombstones(store: Store, rows: pa.Table) -> str:
    """Store the rows (`TOMBSTONES`); returns their path. Equal rows, equal path."""
    return write_rows(store, "tombstones", rows)


def write_rows(store: Store, folder: str, rows: pa.Table) -> str:
    """Store the rows (`TOMBSTONES`) under `folder`; returns their path. Equal rows, equal name."""
    ordered = rows.cast(TOMBSTONES).sort_by([(name, "ascending") for name in TOMBSTONES.names])
    return put_hashed(store, folder, ordered, TOMBSTONES_SCHEMA)


def tombstones(store: Store) -> pa.Table:
    """All rows ever put. Raises `SchemaVersionError` for rows that a newer auricle wrote."""
    tables = [read_tombstones(store, path) for path in sorted(entry.path for entry in store.list("tombstones"))]
    return pa.concat_tables(tables) if tables else TOMBSTONES.empty_table()


def read_tombstones(store: Store, path: str) -> pa.Table:
    """The rows of one takedown.

    Raises `SchemaVersionError` for rows that a newer auricle wrote, `IntegrityError` for damaged ones: a run without
    them would bring back what was taken down.
    """
    otherwise = "and give the takedown again before the next run"
    return read_hashed(store, path, TOMBSTONES, TOMBSTONES_SCHEMA, otherwise)


def tombstoned(store: Store) -> tuple[set[str], set[str]]:
    """Recordings that are banned whole, by the SHA-256 of their bytes, and clips by that of their samples."""
    stones = tombstones(store)
    return set(whole_recordings(stones).to_pylist()), set(banned(stones)["pcm_sha256"].drop_null().to_pylist())


def banned(stones: pa.Table) -> pa.Table:
    """Tombstones of audio, without those that redact."""
    return stones.filter(pc.invert(stones["redact"]))


def redacted(stones: pa.Table) -> pa.Array:
    """Recordings whose text and paths are banned."""
    return pc.unique(stones.filter(stones["redact"])["recording"])


def whole_recordings(stones: pa.Table) -> pa.Array:
    """Recordings that are banned whole."""
    rows = banned(stones)
    return pc.unique(rows.filter(pc.is_null(rows["start"]))["recording"])
