"""The driver's working tables: a scratch DuckDB beside the run, so that corpora larger than memory plan and publish."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ...loaders.reading.version import Version, numbers, open_version
from ...loaders.storage.engine import MEMORY_LIMIT, view_parts
from ...loaders.storage.layout import clips_path, recordings_path, run_path, run_verb
from ...loaders.storage.parts import checked_parts
from ...loaders.storage.sealed import is_whole
from ...loaders.storage.store import Store
from ...schemas.errors import IntegrityError
from ...schemas.sql import quoted
from ...schemas.tables import CLIP_CORE, RECORDINGS
from ..work.scratch import scratch_folder

ROWS_PER_SLICE = 1 << 20
"""Rows that are aggregated at once where DuckDB cannot spill: lists, and the text of a chosen row."""


class State:
    """Tables of one planning round over one parent version: `parent_clips`, `parent_recordings`, then what
    ingest, score, decide and extract add."""

    def __init__(self, store: Store, parent: Version | None, scratch: Path) -> None:
        self.store, self.parent, self.scratch = store, parent, scratch
        self._whole: set[str] = set()
        self.db = duckdb.connect(
            str(scratch / "state.duckdb"),
            config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(scratch / "spill"), "threads": "2"},
        )
        self.db.execute("SET preserve_insertion_order = false")
        # in a notebook, or a process that another started, DuckDB would draw bars over what is printed
        self.db.execute("SET enable_progress_bar = false")
        # what is damaged must not be written again under a hash of its own
        clips = [(part, clips_path(part.sha256)) for part in parent.document.clips] if parent else []
        recordings = [(part, recordings_path(part.sha256)) for part in parent.document.recordings] if parent else []
        for name, parts, empty in (("parent_clips", clips, CLIP_CORE), ("parent_recordings", recordings, RECORDINGS)):
            files = checked_parts(store, parts, parent._cache) if parent else []
            self._view(name, files, empty)

    def sql(self, query: str, parameters: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        """Run one statement."""
        return self.db.execute(query, list(parameters))

    def one(self, query: str) -> Any:
        """The first value of the first row."""
        # an unfinished result would block the connection
        rows = self.db.execute(query).fetchall()
        return rows[0][0] if rows else None

    def table(self, name: str, data: pa.Table) -> None:
        """Make (or remake) a table from Arrow."""
        self.db.register("_incoming", data)
        self.db.execute(f"CREATE OR REPLACE TABLE {quoted(name)} AS SELECT * FROM _incoming")
        self.db.unregister("_incoming")

    def fill(self, name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Make (or remake) a table from Arrow batches, one at a time."""
        self.table(name, schema.empty_table())
        self.append(name, batches)

    def append(self, name: str, batches: Iterable[pa.RecordBatch]) -> None:
        """Add Arrow batches to a table, one at a time."""
        for batch in batches:
            self.db.register("_incoming", pa.Table.from_batches([batch]))
            self.db.execute(f"INSERT INTO {quoted(name)} SELECT * FROM _incoming")
            self.db.unregister("_incoming")

    def sliced(self, name: str, query: str, rows: int) -> None:
        """Make (or remake) a table from a query whose aggregates DuckDB holds in memory, some of its groups at a time.

        query: keeps the groups for which `in_slice(key)` holds. rows: that it aggregates, about.
        """
        slices = rows // ROWS_PER_SLICE + 1
        for number in range(slices):
            self.db.execute(f"CREATE OR REPLACE MACRO in_slice(key) AS hash(key) % {slices} = {number}")
            into = f"INSERT INTO {quoted(name)}" if number else f"CREATE OR REPLACE TABLE {quoted(name)} AS"
            self.db.execute(f"{into} {query}")

    def stream(self, query: str, rows: int = 1 << 14) -> pa.RecordBatchReader:
        """The result of a query, batch by batch, read from a cursor of its own."""
        return self.db.cursor().sql(query).to_arrow_reader(rows)

    def arrow(self, query: str) -> pa.Table:
        """The whole result of a query."""
        return self.db.sql(query).to_arrow_table()

    def columns(self, table: str) -> dict[str, str]:
        """Column names and DuckDB types of a table or view."""
        return {row[0]: row[1] for row in self.db.execute(f"DESCRIBE {quoted(table)}").fetchall()}

    def null(self, expected: pa.DataType) -> str:
        """SQL of a null of an Arrow type."""
        return f"CAST(NULL AS {self.type_name(expected)})"

    def given(self, table: str, column: str, expected: pa.DataType) -> str:
        """SQL of a column that a table may have; of nulls of its type where it has not."""
        return quoted(column) if column in self.columns(table) else self.null(expected)

    def type_name(self, expected: pa.DataType) -> str:
        """What DuckDB calls an Arrow type."""
        self.db.register("_typed", pa.table({"c": pa.nulls(0, expected)}))
        name = str(self.sql("DESCRIBE _typed").fetchall()[0][1])
        self.db.unregister("_typed")
        return name

    def receipts(self, view: str, paths: Sequence[str], schema: pa.Schema) -> None:
        """A view over receipts, all of one schema; empty when there are none.

        Raises `IntegrityError` for a receipt that is not what was written.
        """
        copies = self.scratch / "receipts"
        files = list(self.store.each(lambda path: self.store.local(path, copies), paths))
        for path, file in zip(paths, files, strict=True):
            if path not in self._whole:
                _require_whole(f"{self.store.url}/{path}", file, path.split("/")[1])
                self._whole.add(path)
        self._view(view, files, schema)

    def close(self) -> None:
        """Let go of the tables and of their memory; again is fine."""
        self.db.close()

    def _view(self, name: str, files: Sequence[Path], empty: pa.Schema) -> None:
        view_parts(self.db, name, files, empty, filename="part_file")


def _require_whole(receipt: str, file: Path, run: str) -> None:
    if not is_whole(file.read_bytes()):
        raise IntegrityError(
            f"{receipt}: the receipt is damaged: its bytes do not hash to the digest in it. Nothing was published "
            "from it. Delete this file and run again, which repeats its unit, or delete the run with "
            f"`auricle abandon DATASET {run}`"
        )


@contextlib.contextmanager
def open_state(store: Store) -> Iterator[State]:
    """Working tables over the newest version."""
    with scratch_folder() as scratch:
        parent = open_version(store) if numbers(store) else None
        state = State(store, parent, scratch)
        try:
            yield state
        finally:
            state.close()


def unfinished_runs(store: Store) -> list[str]:
    """Identifiers of runs whose receipts may still be of use, in order; runs of other commands are left alone."""
    found: dict[str, bool] = {}
    for entry in store.list("runs"):
        run = entry.path.split("/")[1]
        found[run] = found.get(run, False) or entry.path == run_path(run, "published.json")
    return sorted(run for run, published in found.items() if not published and run_verb(run) == "run")
