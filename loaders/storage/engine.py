"""DuckDB over the parts of a table: an engine with bounded memory, and views of the parts. Loads DuckDB when called."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING

import pyarrow as pa

from ...schemas.errors import MissingExtraError
from ...schemas.sql import parquet, quoted
from ...schemas.tables import ADDED, CLIP_CORE

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "2GB"
"""DuckDB spills to a scratch folder beyond this (docs/scale.md)."""


@contextmanager
def engine(
    what: str, *, memory_limit: str = MEMORY_LIMIT, threads: int | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine in memory that spills to a scratch folder of its own, gone at the end. Rows come in any order.

    what: names the caller where DuckDB is absent. threads: at most; default one per CPU.
    Raises `MissingExtraError` without DuckDB.
    """
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise MissingExtraError(what, "curate", "duckdb") from error
    with tempfile.TemporaryDirectory(prefix="auricle-duckdb-") as spill:
        config = {"memory_limit": memory_limit, "temp_directory": spill, "preserve_insertion_order": "false"}
        config |= {} if threads is None else {"threads": str(threads)}
        with duckdb.connect(config={**config}) as db:
            db.execute("SET enable_progress_bar = false")
            yield db


def view_parts(
    db: duckdb.DuckDBPyConnection,
    name: str,
    files: Sequence[str | PathLike[str]],
    empty: pa.Schema = CLIP_CORE,
    *,
    filename: str = "",
) -> None:
    """Make (or remake) the view `name` over Parquet parts, columns matched by name; without parts it is empty and has
    the columns `empty`. Those of them that a newer schema added (`ADDED`) are null where parts lack them.

    filename: name of a further column with each row's file.
    """
    source = parquet(files, filename)
    if not files:
        # a table, not a registered one: cursors of the connection do not see those
        columns = empty.append(pa.field(filename, pa.string())) if filename else empty
        source = quoted(f"no_{name}")
        db.register("_no_parts", columns.empty_table())
        db.execute(f"CREATE OR REPLACE TABLE {source} AS FROM _no_parts")
        db.unregister("_no_parts")
    db.execute(f"CREATE OR REPLACE VIEW {quoted(name)} AS FROM {source}")
    if not ADDED & set(empty.names):
        return
    held = {row[0] for row in db.execute(f"DESCRIBE {quoted(name)}").fetchall()}
    # parts of an older minor version of the schema; SMALLINT is what pa.int16() is
    lacking = [f"NULL::SMALLINT AS {quoted(column)}" for column in sorted(ADDED & set(empty.names) - held)]
    if lacking:
        db.execute(f"CREATE OR REPLACE VIEW {quoted(name)} AS SELECT {', '.join(['*', *lacking])} FROM {source}")
