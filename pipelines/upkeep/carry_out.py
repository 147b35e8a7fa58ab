"""Carry out a takedown that was begun. Every step can be repeated; the record that it was begun is removed last."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pyarrow as pa

from ...loaders.care.apply_tombstones import tombstone_rewrite
from ...loaders.care.relabels import purge_relabels
from ...loaders.care.rewrite import Rewrite
from ...loaders.reading.pending import Pending, rows_of
from ...loaders.reading.refs import readable
from ...loaders.reading.retired_copies import drop_retired
from ...loaders.reading.tombstones import put_tombstones, tombstones
from ...loaders.reading.version import Version, open_version
from ...loaders.storage.layout import purged_path, version_path
from ...loaders.storage.objects import objects
from ...loaders.storage.shard_cache import ShardCache
from ...loaders.storage.store import Store
from ...schemas.records import PURGED_SCHEMA
from ...schemas.version import GateResult, VersionDocument
from ..work.scratch import remove_abandoned
from .amend import amend
from .sweep import sweep
from .takedown_reach import History, Reach, carrying_shards, holders, read_history, tainted_shards


@dataclass(frozen=True)
class Done:
    """What carrying out a takedown came to."""

    version: int
    """The newest version, without what was taken down."""
    retired: list[int] = field(default_factory=list)
    """Versions that a purge retired."""
    removed: list[tuple[str, int]] = field(default_factory=list)
    """Path and bytes of files that a purge removed."""


def carry_out(store: Store, begun: Pending) -> Done:
    """Put the tombstones, publish a version that applies them, purge if that was asked. The caller holds the lease."""
    stones = rows_of(store, begun)
    # banned first: from here on nothing brings back what goes
    put_tombstones(store, stones)
    done = _purge(store, stones) if begun.purge else Done(_publish_without(store, Reach()))
    store.delete([begun.path])
    return done


def purge_forecast(store: Store, history: History, reach: Reach) -> list[tuple[str, int]]:
    """Path and bytes of what a purge of `reach` would remove or write anew: what only versions list that are retired,
    without what the newest of them hands on as it is; and unfinished runs."""
    work = [(e.path, e.size) for top in ("runs", "pulling") for e in store.list(top)]
    if not reach.versions:
        return work
    going = sweep(store, set(readable(store)) - reach.versions, grace_s=0.0, dry_run=True).files
    tainted = reach.shards | reach.parts
    handed_on = {path for path, _ in objects(history.newest.document) if PurePosixPath(path).stem not in tainted}
    return [*work, *((path, size) for path, size in going if path not in handed_on and path not in dict(work))]


def _publish_without(store: Store, reach: Reach) -> int:
    """Publish a version without what tombstones ban, unless the newest is; returns the newest's number."""

    def make(version: Version) -> VersionDocument | None:
        stones = tombstones(store)
        tainted = carrying_shards(version, stones)
        if reach.versions:
            tainted |= reach.shards | tainted_shards(version, stones, {})
        shard_bytes = int(version.document.config.get("shard_bytes", 64 << 20))
        fields = Rewrite(version, store, tombstone_rewrite(version, stones, tainted, shard_bytes)).run()
        if all(getattr(version.document, name) == value for name, value in fields.items()):
            return None
        note = f"version {version.document.number} without what was taken down or redacted"
        return version.document.model_copy(
            update={**fields, "note": note, "gate": GateResult(verdict="off"), "stages": []}
        )

    document = amend(store, "takedown", make)
    return document.number if document else open_version(store).document.number


def _purge(store: Store, stones: pa.Table) -> Done:
    newest = _publish_without(store, holders(read_history(store), stones))
    # read again: the new version is clean, and a run that lost its lease may have published meanwhile
    going = sorted(holders(read_history(store), stones).versions - {newest})
    for number in going:
        document = VersionDocument.from_json(store.get(version_path(number)), version_path(number))
        record = {
            "schema": PURGED_SCHEMA,
            "version": number,
            "redirect": newest,
            "retired": datetime.now(UTC).isoformat(timespec="seconds"),
            "created": document.created,
            "counts": document.counts.model_dump(),
        }
        store.put_new(purged_path(number), (json.dumps(record, indent=2) + "\n").encode())
    # plans and receipts hold text and paths; no run is live under the lease, and the work can be done again
    work = [e for top in ("runs", "pulling") for e in store.list(top)]
    store.delete([e.path for e in work])
    # with what an interrupted purge had retired and not yet removed
    swept = sweep(store, set(readable(store)), grace_s=0.0, dry_run=False)
    removed = [*((e.path, e.size) for e in work), *purge_relabels(store, stones), *swept.files]
    # this machine's copies of what went, and the working tables that killed runs left
    remove_abandoned(Path(tempfile.gettempdir()))
    drop_retired(store, ShardCache(), always=True)
    return Done(newest, going, removed)
