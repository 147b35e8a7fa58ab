"""Jobs of a diagnosis by the workers of a cluster: a unit and a receipt each, so that what was done stays done.

Results do not depend on how many workers there are, nor on what died meanwhile: a job is a function of what it is
given, and receipts are read in the order of the jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from ...loaders.storage.layout import run_path
from ...loaders.storage.sealed import is_whole
from ...loaders.storage.store import Store
from ...schemas.counted import counted
from ...schemas.errors import WorkerError
from ...schemas.keys import digest
from ...schemas.pass_tables import ERROR_FIELDS
from ..nodes.resources import Resources
from ..work.contract import Result
from ..work.pool import Pool
from ..work.work_units import receipt_files, write_plan
from .packed import pack, unpack

Job = TypeVar("Job")
Done = TypeVar("Done")
RESULT = "result"
SCHEMA = pa.schema(
    [
        pa.field("key", pa.string()),
        *ERROR_FIELDS,
        pa.field(
            RESULT,
            pa.struct(
                [
                    pa.field("file", pa.string()),
                    pa.field("offset", pa.int64()),
                    pa.field("nbytes", pa.int64()),
                    pa.field("crc32", pa.int64()),
                ]
            ),
        ),
    ]
)
ITEMS = pa.schema(
    [
        pa.field("unit", pa.int64()),
        pa.field("key", pa.string()),
        pa.field("number", pa.int64()),
        pa.field("again", pa.int64()),
    ]
)


@dataclass(frozen=True, eq=False)
class JobsRecipe:
    """Items: key, number of the job. Holds all jobs: workers get it through Ray's object store, once a node."""

    work: Callable[[Any], Any]
    jobs: tuple[Any, ...]
    fingerprint: str
    name: str = "diagnose"
    loads: bool = False

    @property
    def schema(self) -> pa.Schema:
        return SCHEMA

    def key(self, number: int) -> str:
        """Names a job and all that its result depends on."""
        return digest(self.fingerprint, str(number))

    def build(self) -> _Work:
        return _Work(self)


@dataclass(frozen=True, eq=False)
class _Work:
    recipe: JobsRecipe

    def __call__(self, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        for item in items:
            done = self.recipe.work(self.recipe.jobs[item["number"]])
            yield Result({"key": item["key"], RESULT: {}}, {RESULT: pack(done)})


class UnitJobs:
    """`diagnostics.estimates.jobs.Jobs` by the workers of a pool."""

    one_disk = False

    def __init__(self, store: Store, identity: str, pool: Pool, say: Callable[[str], None] = lambda _: None) -> None:
        """identity: names all that the jobs are made from; an interrupted run of the same is gone on with."""
        self._store, self._identity, self._pool, self._say = store, identity, pool, say
        self.run = f"diagnose-{identity[:12]}"

    @property
    def workers(self) -> int:
        return self._pool.size(Resources())

    def __call__(self, work: Callable[[Job], Done], jobs: Sequence[Job]) -> Iterator[Done]:
        """Raises `WorkerError` for a job that failed, and what `Pool.run` raises."""
        fingerprint = digest("jobs/1", self._identity, work.__module__, work.__qualname__, str(len(jobs)))
        recipe = JobsRecipe(work, tuple(jobs), fingerprint)
        found = self._receipts(recipe)
        keys = [recipe.key(number) for number in range(len(jobs))]
        left = [n for n, key in enumerate(keys) if not any(row["error_reason"] is None for row in found.get(key, ()))]
        if left:
            rows = [{"unit": n, "key": keys[n], "number": n, "again": len(found.get(keys[n], ()))} for n in left]
            items = pa.Table.from_pylist(rows, ITEMS)
            units = write_plan(self._store, self.run, recipe, items.to_reader())
            for done, _ in enumerate(self._pool.run(recipe, self._store, self.run, units), start=1):
                self._say(f"{len(jobs) - len(left) + done} of {counted(len(jobs), 'part is', 'parts are')} there")
            found = self._receipts(recipe)
        kind = get_type_hints(work)["return"]
        for number, key in enumerate(keys):
            rows = found.get(key, [])
            good = next((row for row in rows if row["error_reason"] is None), None)
            if good is None:
                why = rows[-1]["error_message"] if rows else "no receipt"
                raise WorkerError(f"part {number + 1} of {len(jobs)} of the diagnosis failed: {why}")
            place = good[RESULT]
            (data,) = self._store.get_ranges(place["file"], [place["offset"]], [place["nbytes"]])
            yield unpack(bytes(data), kind)

    def forget(self) -> None:
        """Remove plan, receipts and payloads: what they were for is there."""
        self._store.delete([entry.path for entry in self._store.list(run_path(self.run))])

    def _receipts(self, recipe: JobsRecipe) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for path in receipt_files(self._store, [self.run], recipe):
            data = self._store.get(path)
            # one that was damaged is as if it were not there
            if is_whole(data):
                for row in pq.read_table(pa.BufferReader(data)).to_pylist():
                    found.setdefault(row["key"], []).append(row)
        return found
