"""Parts of the tables: immutable Parquet files, read with their hash checked and written so that equal tables are
equal bytes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...schemas.errors import IntegrityError
from ...schemas.keys import sha256_bytes, sha256_file
from ...schemas.tables import TABLES_SCHEMA
from ...schemas.version import Object, require_major
from .objects import put_object
from .store import Store
from .table_copies import local_part

Result = TypeVar("Result")
CLIP_ORDER = [("path", "ascending"), ("start", "ascending"), ("channel", "ascending"), ("clip", "ascending")]
"""Row order inside a part of the clip table, nulls last."""
RECORDING_ORDER = [("recording", "ascending")]
ROWS_PER_GROUP = 1 << 16
SCHEMA_KEY = "auricle.schema"
"""Of the schema version in a Parquet file's metadata."""
ADVICE = "restore it from a copy of the dataset, or roll back to a version that `auricle verify` finds undamaged"


def parquet_bytes(table: pa.Table, tag: str, more: Mapping[str, str] | None = None) -> bytes:
    """The table as one Parquet file that says its schema version `tag`: equal tables, equal bytes.

    more: further metadata of the file.
    """
    buffer = io.BytesIO()
    schema = table.schema.with_metadata({SCHEMA_KEY: tag, **(more or {})})
    with pq.ParquetWriter(buffer, schema, compression="zstd", write_page_checksum=True) as writer:
        # one chunk per column, or the bytes would depend on how the table was put together
        for start in range(0, max(table.num_rows, 1), ROWS_PER_GROUP):
            group = table.slice(start, ROWS_PER_GROUP).combine_chunks().replace_schema_metadata(schema.metadata)
            writer.write_table(group, row_group_size=ROWS_PER_GROUP)
    return buffer.getvalue()


def require_tag(schema: pa.Schema, supported: str, subject: str, untagged: str = "") -> None:
    """Refuse a table whose schema version is of another major than `supported`.

    untagged: what a table that says nothing counts as. Raises `SchemaVersionError`.
    """
    found = (schema.metadata or {}).get(SCHEMA_KEY.encode(), untagged.encode()).decode()
    require_major(found, supported, subject)


def write_part(store: Store, table: pa.Table, path_of: Callable[[str], str]) -> Object:
    """Store the table as a new part."""
    data = parquet_bytes(table, TABLES_SCHEMA)
    sha256 = sha256_bytes(data)
    put_object(store, path_of(sha256), data)
    return Object(sha256=sha256, num_bytes=len(data), rows=table.num_rows)


def checked_part(store: Store, part: Object, path: str, cache: Path) -> Path:
    """A local file with the part's bytes, hashed.

    Raises `IntegrityError` when they are not what its name says, `SchemaVersionError` when a newer auricle wrote them.
    """
    file = local_part(store, path, cache)
    if not file.exists():
        raise IntegrityError(f"{store.url}/{path}: the object is missing; {ADVICE}")
    # a copy of a remote part was hashed before it was given
    if store.root is not None and sha256_file(file) != part.sha256:
        raise IntegrityError(f"{store.url}/{path}: its bytes do not hash to its name; {ADVICE}")
    return opened_part(store, path, cache)


def checked_parts(store: Store, parts: Sequence[tuple[Object, str]], cache: Path) -> list[Path]:
    """Local files with parts, given with their paths, as `checked_part` gives one; several are fetched at once."""
    return list(each_part(store, parts, lambda part, path: checked_part(store, part, path, cache)))


def each_part(
    store: Store, parts: Sequence[tuple[Object, str]], operation: Callable[[Object, str], Result]
) -> Iterator[Result]:
    """What `operation` gives for each part and its path, in order; on an object store several are under way at once."""
    of_path = {path: part for part, path in parts}
    largest = max((part.num_bytes for part in of_path.values()), default=0)
    return store.each(lambda path: operation(of_path[path], path), [path for _, path in parts], largest)


def opened_part(store: Store, path: str, cache: Path) -> Path:
    """A local file with the part: hashed where it is a copy, not where it is the dataset's own.

    Raises `IntegrityError` for a part that is missing or torn, `SchemaVersionError` when a newer auricle wrote it.
    """
    file = local_part(store, path, cache)
    with whole(f"{store.url}/{path}"):
        schema = pq.read_schema(file)
    # the first writers of auricle.tables/1 left no tag
    require_tag(schema, TABLES_SCHEMA, f"{store.url}/{path}", untagged=TABLES_SCHEMA)
    return file


def read_columns(file: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A part with those of `columns` that it has; a child of a struct goes by `struct.child`.

    Raises `IntegrityError` for a damaged part.
    """
    with whole(str(file)):
        opened = pq.ParquetFile(file, page_checksum_verification=True)
        if columns is not None:
            known = set(opened.schema_arrow.names)
            columns = [c for c in columns if c in known or any(c.startswith(f"{name}.") for name in known)]
        return opened.read(columns=columns)


def read_rows(file: Path, columns: Sequence[str] | None, where: pc.Expression | None) -> pa.Table:
    """The rows of a part for which `where` holds, with `columns`. Raises `IntegrityError` for a damaged part."""
    with whole(str(file)):
        wanted = None if columns is None else list(columns)
        return pq.read_table(file, columns=wanted, filters=where, page_checksum_verification=True)


@contextlib.contextmanager
def whole(subject: str) -> Iterator[None]:
    """What a reader of Parquet raises for a file that is missing or damaged becomes `IntegrityError`."""
    try:
        yield
    except FileNotFoundError as error:
        raise IntegrityError(f"{subject}: the object is missing; {ADVICE}") from error
    except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise IntegrityError(f"{subject}: no whole Parquet file ({str(error).splitlines()[0]}); {ADVICE}") from error
