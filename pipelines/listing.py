"""What is in the sources now: files with size and time, nothing opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa

from ..loaders.store import Store
from ..schemas.config import Source
from ..schemas.errors import ConfigError
from .decode import AUDIO_SUFFIXES

FILES = pa.schema(
    [
        pa.field("source", pa.string()),
        pa.field("source_rank", pa.int32()),  # position of the source in the configuration
        pa.field("path", pa.string()),  # relative to the source, / separated
        pa.field("uri", pa.string()),  # what a worker opens
        pa.field("size", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("etag", pa.string()),
    ]
)
ROWS_PER_BATCH = 1 << 16


@dataclass(frozen=True, slots=True)
class Listing:
    """Files of all sources, and what was left out on purpose."""

    files: pa.Table
    notices: tuple[str, ...]
    """One line per kind of thing that was not listed: links out of the tree, names that are not text."""


def list_sources(sources: list[Source]) -> Listing:
    """List every source. Raises `ConfigError` for a source that is not there: an unmounted disk must not look like
    a folder whose files are all gone."""
    notices: list[str] = []
    batches = [
        batch
        for rank, source in enumerate(sources)
        for batch in _batches(_remote(source, rank) if "://" in source.path else _local(source, rank, notices))
    ]
    return Listing(pa.Table.from_batches(batches, schema=FILES), tuple(notices))


def _local(source: Source, rank: int, notices: list[str]) -> Iterator[dict[str, object]]:
    root = Path(source.path).expanduser().absolute()
    if not root.exists():
        raise ConfigError(
            f"source {source.name!r}: {root} does not exist. Check `path` (it is relative to where you are)."
        )
    if root.is_file():
        found = root.stat()
        yield _row(source, rank, root.name, str(root), found)
        return
    real_root = root.resolve()
    outside = undecodable = 0
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            if Path(name).suffix.lower() not in AUDIO_SUFFIXES:
                continue
            path = Path(folder) / name
            relative = path.relative_to(root).as_posix()
            try:
                relative.encode()
            except UnicodeEncodeError:
                undecodable += 1
                continue
            if not _included(relative, source.include):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(real_root):
                outside += 1
                continue
            try:
                found = path.stat()
            except OSError:
                # a dangling link, or gone since the folder was read: the next listing settles it
                continue
            if stat.S_ISREG(found.st_mode):
                yield _row(source, rank, relative, str(path), found)
    if outside:
        notices.append(f"source {source.name!r}: {outside} links lead out of {root} and were not followed")
    if undecodable:
        notices.append(f"source {source.name!r}: {undecodable} file names are not UTF-8 and were left out; rename them")


def _remote(source: Source, rank: int) -> Iterator[dict[str, object]]:
    store = Store(source.path)
    for entry in sorted(store.list(), key=lambda e: e.path):
        if Path(entry.path).suffix.lower() in AUDIO_SUFFIXES and _included(entry.path, source.include):
            yield {
                "source": source.name,
                "source_rank": rank,
                "path": entry.path,
                "uri": f"{store.url}/{entry.path}",
                "size": entry.size,
                "mtime_ns": int(entry.modified_s * 1e9),
                "etag": entry.etag,
            }


def _row(source: Source, rank: int, relative: str, path: str, found: os.stat_result) -> dict[str, object]:
    return {
        "source": source.name,
        "source_rank": rank,
        "path": relative,
        "uri": path,
        "size": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "etag": None,
    }


def _included(relative: str, globs: list[str]) -> bool:
    # `**/` also matches no folder at all, which fnmatch does not know
    return any(fnmatchcase(relative, g) or fnmatchcase(relative, g.removeprefix("**/")) for g in globs)


def _batches(rows: Iterator[dict[str, object]]) -> Iterator[pa.RecordBatch]:
    held: list[dict[str, object]] = []
    for row in rows:
        held.append(row)
        if len(held) == ROWS_PER_BATCH:
            yield pa.RecordBatch.from_pylist(held, schema=FILES)
            held = []
    yield pa.RecordBatch.from_pylist(held, schema=FILES)
