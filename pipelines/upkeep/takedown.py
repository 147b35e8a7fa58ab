"""Take down: clips that must go, and stay away.

Without purge they are absent from the next version and all that is derived from it; older versions keep them. With
purge the older versions that hold them are retired, and every file under the dataset that holds their samples, text
or paths is rewritten or removed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ...loaders.care.apply_tombstones import obeying
from ...loaders.care.relabels import purge_relabels
from ...loaders.care.rewrite import Rewrite
from ...loaders.reading.refs import readable
from ...loaders.reading.tombstones import put_tombstones, read_tombstones, tombstones
from ...loaders.reading.version import Version, open_version
from ...loaders.storage.json_record import read_record
from ...loaders.storage.layout import purged_path, version_path
from ...loaders.storage.store import Store
from ...schemas.errors import ConfigError
from ...schemas.records import PURGE_SCHEMA, PURGED_SCHEMA
from ...schemas.version import GateResult, VersionDocument
from ..publishing.lease import lease
from .amend import amend_held
from .garbage import sweep
from .takedown_reach import Reach, holders, read_history, tainted_shards
from .takedown_selection import Selection, select

KNOWN_FOLDERS = (
    "versions",
    "refs",
    "objects",
    "shards",
    "derived",
    "runs",
    "lease",
    "tombstones",
    "relabels",
    "models",
    "pulling",
    "purging",
)


@dataclass(frozen=True)
class Takedown:
    """What a takedown did, or would do."""

    dry_run: bool
    clips: int
    """Clips of any version, those with the same audio included."""
    recordings: int
    """Recordings that are banned whole (or redacted)."""
    same_audio: int
    """Of the clips, those that were not asked for but hold the same audio, or share samples with one that was."""
    version: int
    """The newest version, without them."""
    retired: list[int] = field(default_factory=list)
    """Versions that were retired by a purge."""
    removed: list[tuple[str, int]] = field(default_factory=list)
    """Path and bytes of files that a purge removed."""
    out_of_reach: list[str] = field(default_factory=list)
    """What may hold copies and was not touched."""


def takedown(
    dataset: str | Store,
    *,
    clips: Sequence[str] = (),
    speaker: str | None = None,
    source: str | None = None,
    where: str | None = None,
    purge: bool = False,
    redact: bool = False,
    dry_run: bool = False,
    wait: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Takedown:
    """Take down clips given by keys, by speaker, by source or by a filter, in every version.

    purge: rewrite or remove whatever holds them, and retire the versions that do.
    redact: keep samples and latents, drop text and paths of the recordings.
    dry_run: only count.
    Raises `ConfigError` unless exactly one of the four selections is given and it fits a clip; `BusyError` while a
    run holds the dataset, unless `wait`.
    """
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    with lease(store, wait=wait, notify=notify):
        finished = None if dry_run else _finish_purges(store)
        history = read_history(store)
        newest = history.newest.document.number
        try:
            chosen = select(history, clips, speaker, source, where, redact)
        except ConfigError:
            if finished is None:
                raise
            # what an interrupted purge had meant is gone by now
            return _summary(store, Selection(redact), newest, [], finished, dry_run=False)
        stones = chosen.tombstones()
        if dry_run:
            reach = holders(history, stones) if purge else Reach()
            return _summary(store, chosen, newest, sorted(reach.versions), [], dry_run=True)
        # banned first: a crash from here on leaves a takedown to repeat, never clips that come back
        path = put_tombstones(store, stones)
        if not purge:
            newest = _publish_without(store, Reach())
            return _summary(store, chosen, newest, [], finished or [], dry_run=False)
        store.put_new(_intent(path), json.dumps({"schema": PURGE_SCHEMA, "tombstones": path}).encode())
        newest, going, removed = _purge(store, path)
        return _summary(store, chosen, newest, going, [*(finished or []), *removed], dry_run=False)


def _publish_without(store: Store, reach: Reach) -> int:
    """Publish a version without what tombstones ban, unless the newest is; returns the newest's number."""

    def make(version: Version) -> VersionDocument | None:
        stones = tombstones(store)
        tainted = reach.shards | tainted_shards(version, stones, {}) if reach.versions else set[str]()
        shard_bytes = int(version.document.config.get("shard_bytes", 64 << 20))
        fields = Rewrite(version, store, obeying(version, stones, tainted, shard_bytes)).run()
        if all(getattr(version.document, name) == value for name, value in fields.items()):
            return None
        note = f"version {version.document.number} without what was taken down or redacted"
        return version.document.model_copy(
            update={**fields, "note": note, "gate": GateResult(verdict="off"), "stages": []}
        )

    document = amend_held(store, "takedown", make)
    return document.number if document else open_version(store).document.number


def _purge(store: Store, path: str) -> tuple[int, list[int], list[tuple[str, int]]]:
    """Purge what the tombstones at `path` ban: the newest version without it, the versions retired, what was removed.

    Every step can be repeated, and the intent goes last.
    """
    stones = read_tombstones(store, path)
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
    _forget_copies(store, [gone for gone, _ in removed])
    store.delete([_intent(path)])
    return newest, going, removed


def _finish_purges(store: Store) -> list[tuple[str, int]] | None:
    """Finish purges that were interrupted; returns what was removed, None when there were none."""
    paths = []
    for path in sorted(entry.path for entry in store.list("purging")):
        record = read_record(store, path, PURGE_SCHEMA, ["tombstones"], "delete it and give the takedown again")
        paths.append(str(record["tombstones"]))
    return [gone for path in paths for gone in _purge(store, path)[2]] if paths else None


def _intent(tombstones_path: str) -> str:
    return f"purging/{tombstones_path.rpartition('/')[2].partition('.')[0]}.json"


def _forget_copies(store: Store, paths: Sequence[str]) -> None:
    """Remove this machine's copies of objects of a remote dataset."""
    if store.root is None:
        cache: Path = open_version(store)._cache
        for path in paths:
            (cache / path).unlink(missing_ok=True)


def _summary(
    store: Store, chosen: Selection, newest: int, going: list[int], removed: list[tuple[str, int]], *, dry_run: bool
) -> Takedown:
    strange = sorted({e.path.split("/")[0] for e in store.list()} - set(KNOWN_FOLDERS))
    return Takedown(
        dry_run=dry_run,
        clips=len(chosen.clips),
        recordings=len(chosen.whole),
        same_audio=len(chosen.clips) - chosen.asked,
        version=newest,
        retired=going,
        removed=removed,
        out_of_reach=[
            *(f"{store.url}/{name}: no part of a dataset: look through it" for name in strange),
            "pulls and exports of earlier versions, caches on other machines, backups, models trained on the clips, "
            "and the recordings at their source",
        ],
    )
