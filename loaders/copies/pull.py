"""Pull: a version, or a filtered part of it, as a dataset folder of its own for a training machine.

The folder holds the clip table with the representations asked for, and shards of live samples only; `open_version`
reads it like the original. Calling again after an interruption goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow.parquet as pq

from ...schemas.errors import ConfigError
from ...schemas.keys import digest
from ...schemas.version import VersionDocument
from ..care.rewrite import Planned, Progress, Recipe, Rewrite, Rows
from ..reading.pending import open_to_copy
from ..reading.version import Version, numbers, open_version
from ..reading.where import Where
from ..storage.layout import curriculum_path, derived_path, version_path
from ..storage.objects import objects
from ..storage.store import Store

KIND = "pull"
SHARD_BYTES = 64 << 20
"""Size of shards that are packed anew, when the configuration of the version names none."""
WITH_A_VERSION = ("curriculum.parquet",)
"""Derived files that reading needs, besides named curricula."""


@dataclass(frozen=True)
class PullResult:
    """What a pull brought."""

    number: int
    dest: str
    status: str
    """pulled, or unchanged when the folder had it already."""
    clips: int
    live: dict[str, int]
    """Live samples per representation."""
    copied: int = 0
    packed: int = 0
    reused: int = 0
    """Shards taken whole, packed from the live samples of others, and present from an earlier attempt."""
    bytes_written: int = 0


def pull(
    dataset: str | Store,
    dest: str,
    representation: Sequence[str],
    version: int | str | None = None,
    where: str | None = None,
    progress: Progress = lambda done, total: None,
) -> PullResult:
    """Copy a version's live samples of some representations into the folder or s3:// prefix `dest`.

    representation: names, or unambiguous beginnings of names.
    where: only clips for which this SQL expression over clip columns holds; default all rows of the table.
    progress: told bytes done and bytes in all, shard by shard.
    Raises `ConfigError` when `dest` holds something else, `IntegrityError` for a damaged object of the source,
    `PendingError` while a takedown there is not done.
    """
    source = open_to_copy(dataset, version)
    names, rows = _names(source, representation), _rows(source, where)
    selection = digest("pull/1", source.sha256, *sorted(names), where or "")
    target = Store(dest, create=True)
    found = _already(target, source, selection)
    if found is not None:
        return _result(found, dest, "unchanged")
    receipts = f"pulling/{selection}"
    work = Rewrite(source, target, _recipe(source, names, rows), receipts, progress)
    document = _document(source, work.run(), selection, where)
    named = [curriculum_path(0, c.name, c.sha256).rpartition("/")[2] for c in source.curricula()]
    for name in (*WITH_A_VERSION, *named):
        data = source.derived(name)
        if data is not None:
            target.put_new(derived_path(document.number, name), data)
    published = version_path(document.number)
    if not target.put_new(published, document.to_json()) and target.get(published) != document.to_json():
        raise ConfigError(f"{target.url}: another pull into this folder ended first; pull into another folder")
    target.delete([entry.path for entry in target.list(receipts)])
    return _result(document, dest, "pulled", work)


def plan_pull(
    dataset: str | Store, representation: Sequence[str], version: int | str | None = None, where: str | None = None
) -> Planned:
    """What `pull` into an empty folder would bring: live samples, shards, bytes. Writes nothing."""
    source = open_version(dataset, version)
    recipe = _recipe(source, _names(source, representation), _rows(source, where))
    return Rewrite(source, source.store, recipe).plan()


def _names(source: Version, representation: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(source.representation(r).name for r in representation))
    if not names:
        raise ConfigError(f"name a representation to pull; there are: {', '.join(source.document.representations)}")
    return names


def _recipe(source: Version, names: tuple[str, ...], rows: Rows | None) -> Recipe:
    return Recipe(
        representations=names,
        stays=lambda shard, wanted: wanted == shard.rows,
        shard_bytes=int(source.document.config.get("shard_bytes", SHARD_BYTES)),
        rows=rows,
        only_used_recordings=rows is not None,
    )


def _rows(source: Version, where: str | None) -> Rows | None:
    if where is None:
        return None
    files = source.files()
    if not files:
        return None
    test = Where(where, pq.read_schema(files[-1]))
    return Rows(test.columns, test.mask)


def _already(target: Store, source: Version, selection: str) -> VersionDocument | None:
    """The document when the target holds this very pull. Raises `ConfigError` when it holds anything else."""
    if target.url == source.store.url:
        raise ConfigError(f"{target.url}: a dataset cannot be pulled into itself; give another folder")
    held = [VersionDocument.from_json(target.get(version_path(n)), version_path(n)) for n in numbers(target)]
    for document in held:
        if document.kind != KIND:
            raise ConfigError(f"{target.url} is a dataset of its own; pull into another folder")
        if document.number == source.document.number and document.inputs != selection:
            raise ConfigError(
                f"{target.url} holds version {document.number} pulled with other representations or another filter; "
                "pull into another folder"
            )
    same = [d for d in held if d.inputs == selection]
    if not same:
        return None
    listed = list(objects(same[0]))
    sizes = target.each(target.size, [path for path, _ in listed])
    return same[0] if all(found == size for (_, size), found in zip(listed, sizes, strict=True)) else None


def _document(source: Version, fields: dict[str, object], selection: str, where: str | None) -> VersionDocument:
    note = f"pulled from version {source.document.number} of {source.store.url}"
    changed = {
        "kind": KIND,
        "parent": None,
        "parent_sha256": source.sha256,
        "note": f"{note} where {where}" if where else note,
        "inputs": selection,
    }
    return source.document.model_copy(update=fields | changed)


def _result(document: VersionDocument, dest: str, status: str, work: Rewrite | None = None) -> PullResult:
    tally = work.tally if work else {}
    return PullResult(
        number=document.number,
        dest=dest,
        status=status,
        clips=document.counts.clips,
        live={name: entry.live for name, entry in document.representations.items()},
        copied=tally.get("copied", 0),
        packed=tally.get("packed", 0),
        reused=tally.get("reused", 0),
        bytes_written=tally.get("bytes", 0),
    )
