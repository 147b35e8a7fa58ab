"""Work units and receipts: the one mechanism behind every Ray pass.

The driver writes a plan (unit -> ordered items) that never changes. A worker takes a unit, writes what it makes,
then a receipt with one row per item, put-if-absent. Rows are keyed by content, so a plan minus the rows of all
receipts is what remains after a crash, a lost race or a change of the configuration. The pool (`pool`) hands the units
out, and again those whose worker died; receipts make it exactly-once.
"""

from __future__ import annotations

import io
import resource
import secrets
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...loaders.storage.layout import run_path
from ...loaders.storage.parts import SCHEMA_KEY
from ...loaders.storage.sealed import sealed
from ...loaders.storage.store import Store
from ...schemas.errors import IntegrityError
from ...schemas.keys import digest, sha256_bytes
from ...schemas.pass_tables import PLAN_SCHEMA, RECEIPT_SCHEMA
from .contract import Recipe, Result, Work
from .isolation import run_isolated
from .one_by_one import each

UNITS_PER_PLAN_PART = 64
"""Units in one plan file, each its own row group: a worker reads one unit with two small requests."""
ATTEMPTS_BEFORE_ISOLATION = 2
"""Starts of a unit that ended without a receipt before its items run in child processes."""


@dataclass(frozen=True, slots=True)
class UnitRef:
    """Where a unit is in the plan."""

    unit: str
    part: str
    group: int
    items: int


@dataclass(frozen=True, slots=True)
class UnitOutcome:
    """What one unit did; `started_s` and `finished_s` are Unix times on the worker's clock."""

    unit: str
    done: int
    failed: int
    audio_s: float
    cpu_s: float
    started_s: float
    finished_s: float
    peak_bytes: int
    """Largest resident size of the worker so far."""
    read_bytes: int = 0
    """What the worker read from files while it computed, as Linux counts it; 0 elsewhere. What comes from an object
    store is counted when its scratch copy is read."""
    written_bytes: int = 0
    """Payloads and receipt."""


def write_plan(store: Store, run: str, recipe: Recipe, rows: pa.RecordBatchReader) -> list[UnitRef]:
    """Write the plan of a pass from `rows` sorted by their `unit` column (int); returns its units in order.

    Columns besides `unit` are the items; `key` is among them, and `again` where items are tried again: how many
    receipts of this run say that they failed.
    """
    refs: list[UnitRef] = []
    pending: list[tuple[str, pa.Table]] = []

    def flush() -> None:
        if not pending:
            return
        buffer = io.BytesIO()
        with pq.ParquetWriter(buffer, pending[0][1].schema.with_metadata({SCHEMA_KEY: PLAN_SCHEMA})) as writer:
            for _, table in pending:
                writer.write_table(table, row_group_size=table.num_rows)
        # named by its bytes: the plan of an interrupted run, perhaps of another code version, is never taken for it
        part = run_path(run, recipe.name, "plan", _part_name(buffer.getvalue()))
        refs.extend(UnitRef(unit, part, group, table.num_rows) for group, (unit, table) in enumerate(pending))
        store.put_new(part, buffer.getvalue())
        pending.clear()

    for table in _by_unit(rows):
        keys = table["key"].to_pylist()
        again = table["again"].to_pylist() if "again" in table.column_names else []
        # items that are tried again have a receipt under their old name
        unit = digest(recipe.name, recipe.fingerprint, *keys, *(map(str, again) if any(again) else ()))
        pending.append((unit, table))
        if len(pending) == UNITS_PER_PLAN_PART:
            flush()
    flush()
    return refs


def receipt_files(store: Store, runs: Sequence[str], recipe: Recipe) -> list[str]:
    """Paths of all receipts of this pass in these runs whose rows have the recipe's columns."""
    shape = receipt_tag(recipe).partition("-")[0]
    return sorted(
        entry.path
        for run in runs
        for entry in store.list(run_path(run, recipe.name, "receipts"))
        if entry.path.split("/")[4].startswith(f"{shape}-")
    )


def receipt_tag(recipe: Recipe) -> str:
    """Folder of a recipe's receipts: `<shape>-<fingerprint>`. Receipts of another shape are never mixed into one
    table, and a failure counts only for the recipe that failed."""
    shape = digest(RECEIPT_SCHEMA, recipe.schema.to_string(show_field_metadata=False, show_schema_metadata=False))[:12]
    return f"{shape}-{recipe.fingerprint[:12]}"


class UnitWorker:
    """Runs units in one process: plan in, payloads and receipt out."""

    def __init__(self, recipe: Recipe, store: Store, run: str) -> None:
        self._recipe, self._store, self._run = recipe, store, run
        self._work: Work | None = None

    def load(self) -> None:
        """Build the work now instead of with the first unit, and warm it up where it can be."""
        if self._work is None:
            warm = getattr(self._built(), "warm", None)
            if warm is not None:
                warm()

    def run(self, ref: UnitRef) -> UnitOutcome:
        """Do the unit unless its receipt exists."""
        return self.begin(ref)()

    def begin(self, ref: UnitRef) -> Callable[[], UnitOutcome]:
        """Compute the unit unless its receipt exists; call what this gives to store it, in any thread."""
        started, cpu, read = time.time(), time.process_time(), _read_bytes()
        receipt = run_path(self._run, self._recipe.name, "receipts", receipt_tag(self._recipe), f"{ref.unit}.parquet")
        if self._store.exists(receipt):
            return lambda: UnitOutcome(ref.unit, 0, 0, 0.0, 0.0, started, time.time(), _peak_bytes())
        items = self._items(ref)
        attempt = self._next_attempt(ref.unit)
        if attempt < ATTEMPTS_BEFORE_ISOLATION:
            results: Iterator[Result] = each(self._built(), items)
        else:
            results = run_isolated(self._recipe, items)
        rows, blobs, audio_s = self._computed(ref.unit, results)
        if [row["key"] for row in rows] != [item["key"] for item in items]:
            raise RuntimeError(
                f"pass {self._recipe.name}, unit {ref.unit}: {len(items)} items in, {len(rows)} rows out"
            )
        table = pa.Table.from_pylist(rows, schema=self._recipe.schema)
        failed = sum(1 for row in rows if row.get("error_reason"))
        cpu_s, read = time.process_time() - cpu, _read_bytes() - read

        def store() -> UnitOutcome:
            written = 0
            for path, blob in blobs.items():
                self._store.put_new(path, blob.getvalue())
                written += len(blob.getbuffer())
            rowed = sealed(table, RECEIPT_SCHEMA)
            self._store.put_new(receipt, rowed)
            return UnitOutcome(
                ref.unit, len(rows), failed, audio_s, cpu_s, started, time.time(), _peak_bytes(), read,
                written + len(rowed),
            )  # fmt: skip

        return store

    def _built(self) -> Work:
        if self._work is None:
            self._work = self._recipe.build()
        return self._work

    def _items(self, ref: UnitRef) -> list[dict[str, Any]]:
        data = self._store.get(ref.part)
        if not ref.part.endswith(f"/{_part_name(data)}"):
            raise IntegrityError(
                f"{self._store.url}/{ref.part}: the plan was damaged after it was written; delete the run with "
                f"`auricle abandon DATASET {self._run}` and run again"
            )
        file = pq.ParquetFile(pa.BufferReader(data))
        return file.read_row_group(ref.group).to_pylist()

    def _next_attempt(self, unit: str) -> int:
        attempt, mark = 0, secrets.token_bytes(8)
        folder = run_path(self._run, self._recipe.name, "attempts")
        # a mark that a power cut takes costs one more attempt
        while not self._store.put_new(f"{folder}/{unit}.{attempt}", mark, durable=False):
            attempt += 1
        return attempt

    def _computed(
        self, unit: str, results: Iterator[Result]
    ) -> tuple[list[dict[str, Any]], dict[str, io.BytesIO], float]:
        """Rows, payloads by their path in the store, seconds of audio."""
        blobs: dict[str, io.BytesIO] = {}
        rows, audio_s = [], 0.0
        for result in results:
            for family, payload in result.payloads.items():
                path = run_path(self._run, self._recipe.name, "payloads", family, unit)
                blob = blobs.setdefault(path, io.BytesIO())
                pointer = result.row[family]
                pointer["file"] = path
                pointer["offset"], pointer["nbytes"] = blob.tell(), len(payload)
                pointer["crc32"] = zlib.crc32(payload)
                blob.write(payload)
            rows.append(result.row)
            audio_s += result.audio_s
        return rows, blobs, audio_s


def _part_name(data: bytes) -> str:
    return f"{sha256_bytes(data)[:32]}.parquet"


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _read_bytes() -> int:
    try:
        with open("/proc/self/io", encoding="ascii") as file:
            return int(file.readline().split()[1])
    except (OSError, ValueError, IndexError):
        # not Linux
        return 0


def _by_unit(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Cut a stream sorted by `unit` into one table per unit."""
    import pyarrow.compute as pc

    held = pa.table({})
    for batch in rows:
        if batch.num_rows == 0:
            continue
        table = pa.Table.from_batches([batch])
        held = pa.concat_tables([held, table]) if held.num_rows else table
        units = pc.unique(held["unit"]).to_pylist()
        for unit in units[:-1]:
            yield held.filter(pc.equal(held["unit"], unit)).drop_columns(["unit"]).combine_chunks()
        held = held.filter(pc.equal(held["unit"], units[-1]))
    if held.num_rows:
        yield held.drop_columns(["unit"]).combine_chunks()
