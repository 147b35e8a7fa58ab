"""Takedowns that were begun and are not done: what was decided is written down, and files still hold it.

A takedown begins with one write, which carries the whole decision: a table of tombstones under `taking-down/` (gone
from the next version) or under `purging/` (gone from every file). It is removed as the last step, so that whatever
is found there has to be done, and can be done by anybody.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from ...schemas.errors import PendingError
from ...schemas.records import PURGE_SCHEMA
from ..storage.json_record import read_record
from ..storage.store import Store
from .tombstones import read_tombstones, write_rows
from .version import Version, open_version, split_version

TAKING_DOWN, PURGING = "taking-down", "purging"


@dataclass(frozen=True)
class Pending:
    """One takedown that is not done."""

    path: str
    """Of the write that began it."""

    @property
    def purge(self) -> bool:
        """Whether every file is rewritten or removed; else only the next version lacks what is taken down."""
        return self.path.startswith(f"{PURGING}/")

    def __str__(self) -> str:
        kind, left = ("purge", "in files of the dataset") if self.purge else ("takedown", "in the newest version")
        return (
            f"a {kind} is not done ({self.path}): it is going on, or was interrupted, and what it takes down may still "
            f"be {left}. `auricle takedown DATASET` finishes it"
        )


def pending(store: Store) -> list[Pending]:
    """The takedowns that are not done, plain ones first; two listings of mostly empty folders."""
    folders = (TAKING_DOWN, PURGING)
    return [Pending(path) for folder in folders for path in sorted(e.path for e in store.list(folder))]


def require_none(store: Store) -> None:
    """Whatever makes something of a dataset without holding it (copies, tables, models) begins here, called as a
    function or as a command: what it makes would hold what is taken down. What holds the dataset finishes it instead
    (`pipelines/upkeep/pending.py`).

    Raises `PendingError` while a takedown is not done.
    """
    found = pending(store)
    if found:
        raise PendingError(f"{store.root or store.url}: {found[0]}. Nothing was done")


def open_to_copy(dataset: str | Store, version: int | str | None = None) -> Version:
    """`open_version`, for whoever copies it.

    Raises `PendingError` while a takedown is not done, before anything else.
    """
    if isinstance(dataset, str):
        require_none(Store(split_version(dataset)[0]))
    else:
        require_none(dataset)
    return open_version(dataset, version)


def begin(store: Store, rows: pa.Table, *, purge: bool) -> Pending:
    """Write down that `rows` (`TOMBSTONES`) are taken down: from here on it will be done, whatever crashes."""
    return Pending(write_rows(store, PURGING if purge else TAKING_DOWN, rows))


def rows_of(store: Store, found: Pending) -> pa.Table:
    """What a pending takedown bans or redacts. Raises as `tombstones.read_tombstones` does."""
    path = found.path
    if path.endswith(".json"):
        # before auricle.tombstones were written here, a purge named the file of those it had put
        record = read_record(store, path, PURGE_SCHEMA, ["tombstones"], "delete it and give the takedown again")
        path = str(record["tombstones"])
    return read_tombstones(store, path)
