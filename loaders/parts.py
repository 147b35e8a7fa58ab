"""Parts of the tables: immutable Parquet files, read with their hash checked and written so that equal tables are
equal bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..schemas.errors import IntegrityError
from ..schemas.keys import sha256_bytes, sha256_file
from ..schemas.version import Object
from .store import Store

CLIP_ORDER = [("path", "ascending"), ("start", "ascending"), ("channel", "ascending"), ("clip", "ascending")]
"""Row order inside a part of the clip table, nulls last."""
RECORDING_ORDER = [("recording", "ascending")]
ADVICE = "restore it from a copy of the dataset, or roll back to a version that `auricle verify` finds whole"


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as one Parquet file: equal tables, equal bytes."""
    buffer = io.BytesIO()
    pq.write_table(table.combine_chunks(), buffer, compression="zstd", row_group_size=1 << 16)
    return buffer.getvalue()


def write_part(store: Store, table: pa.Table, path_of: Callable[[str], str]) -> Object:
    """Store the table as a new part."""
    data = parquet_bytes(table)
    sha256 = sha256_bytes(data)
    store.put_new(path_of(sha256), data)
    return Object(sha256=sha256, num_bytes=len(data), rows=table.num_rows)


def checked_part(store: Store, part: Object, path: str, cache: Path) -> Path:
    """A local file with the part's bytes, hashed. Raises `IntegrityError` when they are not what its name says."""
    file = store.local(path, cache)
    for attempt in (1, 2):
        if not file.exists():
            raise IntegrityError(f"{store.url}/{path}: the object is missing; {ADVICE}")
        if sha256_file(file) == part.sha256:
            return file
        if store.root is None and attempt == 1:
            # a copy on this machine may be damaged where the object is not
            file.unlink()
            file = store.local(path, cache)
    raise IntegrityError(f"{store.url}/{path}: its bytes do not hash to its name; {ADVICE}")


def read_columns(file: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A part with those of `columns` that it has; a child of a struct goes by `struct.child`."""
    opened = pq.ParquetFile(file)
    if columns is not None:
        known = set(opened.schema_arrow.names)
        columns = [c for c in columns if c in known or any(c.startswith(f"{name}.") for name in known)]
    return opened.read(columns=columns)
