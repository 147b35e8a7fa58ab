"""How a dataset stands, read from small files: nothing is locked, changed or repaired."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from ...loaders.reading.pending import pending
from ...loaders.reading.refs import readable, tags
from ...loaders.reading.version import open_version
from ...loaders.storage.json_record import read_record
from ...loaders.storage.layout import run_verb
from ...loaders.storage.store import Store
from ...schemas.records import PURGED_SCHEMA
from ...schemas.version import VersionDocument
from ..publishing.lease import holder
from ..publishing.refusal import refusal
from .garbage import RunLeft, unfinished

RunState = Literal["going on", "unfinished", "refused by the gate", "published, to be tidied"]


@dataclass(frozen=True)
class Newest:
    """The newest version that opens."""

    version: int
    kind: str
    """The command that published it."""
    created: str
    age_s: float
    """Seconds since then, by this machine's clock."""
    clips: int
    kept: int
    kept_hours: float
    gate: str


@dataclass(frozen=True)
class UnfinishedRun:
    """A folder under `runs/`."""

    run: str
    verb: str
    """The command that left it and resumes it: run, relabel or diagnose."""
    state: RunState
    files: int
    num_bytes: int
    age_s: float
    """Seconds since its newest file was written, by the clocks of the store and of this machine."""


@dataclass(frozen=True)
class PendingTakedown:
    """A takedown or a purge that was begun and is not done."""

    path: str
    """Of the file that says so."""
    purge: bool
    """Every file is rewritten or removed; else only the next version lacks what is taken down."""


@dataclass(frozen=True)
class RetiredVersion:
    """A version that a takedown retired."""

    version: int
    retired: str
    successor: int


@dataclass(frozen=True)
class DatasetStatus:
    """What `auricle status` says."""

    dataset: str
    newest: Newest | None
    """None before the first version."""
    versions: int
    """Versions that open."""
    held_by: str | None
    """Process and machine that hold the lease; a machine that died holding it still counts."""
    unfinished: list[UnfinishedRun] = field(default_factory=list)
    interrupted_pull: bool = False
    """The dataset is the destination of a `pull` that was interrupted, or that is going on."""
    pending: list[PendingTakedown] = field(default_factory=list)
    retired: list[RetiredVersion] = field(default_factory=list)
    tags: dict[str, int] = field(default_factory=dict)


def dataset_status(store: Store, now: datetime | None = None) -> DatasetStatus:
    """Look at a dataset. now: default the time of this machine.

    Raises `IntegrityError` for a damaged document of a version, `SchemaVersionError` for one of a newer auricle.
    """
    now = now or datetime.now(UTC)
    known, held_by = readable(store), holder(store)
    return DatasetStatus(
        dataset=str(store.root or store.url),
        newest=_newest(open_version(store, known[-1]).document, now) if known else None,
        versions=len(known),
        held_by=held_by,
        unfinished=[_run(store, left, held_by, now) for left in unfinished(store)],
        interrupted_pull=next(iter(store.list("pulling")), None) is not None,
        pending=[PendingTakedown(begun.path, begun.purge) for begun in pending(store)],
        retired=list(_retired(store)),
        tags={tag.name: tag.version for tag in tags(store)},
    )


def _newest(d: VersionDocument, now: datetime) -> Newest:
    age_s = max((now - datetime.fromisoformat(d.created)).total_seconds(), 0.0)
    hours = d.hours.get("kept", 0.0)
    return Newest(d.number, d.kind, d.created, age_s, d.counts.clips, d.counts.kept, hours, d.gate.verdict)


def _run(store: Store, left: RunLeft, held_by: str | None, now: datetime) -> UnfinishedRun:
    age_s = max(now.timestamp() - left.modified_s, 0.0)
    return UnfinishedRun(left.run, run_verb(left.run), _state(store, left, held_by), left.files, left.num_bytes, age_s)


def _state(store: Store, left: RunLeft, held_by: str | None) -> RunState:
    if left.published:
        return "published, to be tidied"
    if held_by is not None:
        return "going on"
    refused = refusal(store, [path for path, _ in left.entries]) is not None
    return "refused by the gate" if refused else "unfinished"


def _retired(store: Store) -> list[RetiredVersion]:
    found = []
    advice = "the version was retired by a takedown in any case; its successor is the next one that opens"
    for path in sorted(entry.path for entry in store.list("versions")):
        if match := re.fullmatch(r"versions/(\d{6,})\.purged", path):
            record: dict[str, Any] = read_record(store, path, PURGED_SCHEMA, ["redirect"], advice)
            found.append(RetiredVersion(int(match[1]), str(record.get("retired", "")), int(record["redirect"])))
    return found
