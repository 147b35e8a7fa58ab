"""What is in the sources now: files with size and time, nothing opened."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
from fsspec.utils import glob_translate

from ...loaders.storage.store import Store
from ...schemas.config import Source
from ...schemas.errors import ConfigError
from ..audio.decode import AUDIO_SUFFIXES
from .folders import Walk

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
Row = tuple[str, int, str, str, int, int, str | None]
"""In the order of `FILES`."""


def list_sources(sources: Iterable[Source], notices: list[str]) -> Iterator[pa.RecordBatch]:
    """Files of all sources (`FILES`), batch by batch: 10^7 of them take gigabytes.

    notices: gets a line per kind of thing that was left out on purpose (links out of the tree, names that are not
    text) and per source without any file.
    Raises `ConfigError` for a source that is not there: an unmounted disk must not look like a folder whose files are
    all gone.
    """
    for rank, source in enumerate(sources):
        empty = True
        for batch in _batches(_remote(source, rank) if "://" in source.path else _local(source, rank, notices)):
            empty = False
            yield batch
        if empty:
            notices.append(f"source {source.name!r}: no audio files in {source.path} that `include` takes")


def _local(source: Source, rank: int, notices: list[str]) -> Iterator[Row]:
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
    walk, included = Walk(root), _included(source)
    for file, relative in walk:
        if os.path.splitext(file.name)[1].lower() not in AUDIO_SUFFIXES:
            continue
        try:
            relative.encode()
        except UnicodeEncodeError:
            undecodable += 1
            continue
        if not included(relative):
            continue
        try:
            if file.is_symlink() and not Path(file.path).resolve().is_relative_to(real_root):
                outside += 1
                continue
            found = file.stat()
        except OSError:
            # gone since the folder was read: the next listing settles it
            continue
        if stat.S_ISREG(found.st_mode):
            yield _row(source, rank, relative, file.path, found)
    notices.extend(walk.notices(source.name))
    if outside:
        notices.append(f"source {source.name!r}: {outside} links lead out of {root} and were not followed")
    if undecodable:
        notices.append(f"source {source.name!r}: {undecodable} file names are not UTF-8 and were left out; rename them")


def _remote(source: Source, rank: int) -> Iterator[Row]:
    store, included = Store(source.path), _included(source)
    for entry in store.list():
        if Path(entry.path).suffix.lower() in AUDIO_SUFFIXES and included(entry.path):
            uri = f"{store.url}/{entry.path}"
            yield source.name, rank, entry.path, uri, entry.size, int(entry.modified_s * 1e9), entry.etag


def _row(source: Source, rank: int, relative: str, path: str, found: os.stat_result) -> Row:
    return source.name, rank, relative, path, found.st_size, found.st_mtime_ns, None


def _included(source: Source) -> Callable[[str], object]:
    """Whether a path below the source matches one of its globs, as shells and `glob` read them: `*` stays within a
    folder, `**` is any number of folders, also none. Raises `ConfigError` for one that cannot be read."""
    patterns = []
    for glob in source.include:
        try:
            patterns.append(glob_translate(glob))
        except (ValueError, re.error) as error:
            raise ConfigError(f"source {source.name!r}: include {glob!r}: {error}") from error
    return re.compile("|".join(patterns) or r"(?!)").match


def _batches(rows: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    while held := list(islice(rows, ROWS_PER_BATCH)):
        columns = [pa.array(column, field.type) for column, field in zip(zip(*held, strict=True), FILES, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=FILES)
