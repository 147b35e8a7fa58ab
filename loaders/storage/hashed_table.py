"""Small tables under the hash of their bytes: what is put once, never changed, and must be read whole or not at all."""

from __future__ import annotations

import contextlib

import pyarrow as pa
import pyarrow.parquet as pq

from ...schemas.errors import IntegrityError
from ...schemas.keys import sha256_bytes
from .parts import parquet_bytes, require_tag
from .store import Store


def _path(folder: str, data: bytes) -> str:
    return f"{folder}/{sha256_bytes(data)}.parquet"


def put_hashed(store: Store, folder: str, table: pa.Table, tag: str) -> str:
    """Store `table`, which says that its schema is `tag`; its path. Equal tables, equal path."""
    data = parquet_bytes(table, tag)
    path = _path(folder, data)
    store.put_new(path, data)
    return path


def read_hashed(store: Store, path: str, schema: pa.Schema, tag: str, otherwise: str) -> pa.Table:
    """The columns of `schema` of a table that `put_hashed` stored.

    otherwise: what to do about a damaged one of which there is no copy.
    Raises `SchemaVersionError` for a table that a newer auricle wrote, `IntegrityError` for a damaged one.
    """
    data = store.get(path)
    with contextlib.suppress(OSError, pa.ArrowInvalid):
        require_tag(pq.read_schema(pa.BufferReader(data)), tag, path)
    if _path(path.partition("/")[0], data) != path:
        raise IntegrityError(
            f"{store.url}/{path}: its bytes do not hash to its name. Copy it back from a backup or a replica; without "
            f"one, delete it {otherwise}"
        )
    table = pq.read_table(pa.BufferReader(data))
    return table.replace_schema_metadata(None).select(schema.names)
