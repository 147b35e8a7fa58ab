"""What is in the sources now: files with size and time, nothing opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa

from ...loaders.storage.store import Store
from ...schemas.counted import counted
from ...schemas.errors import ConfigError
from ...schemas.source_config import Source
from ...schemas.sources import is_list
from ..audio.decode import AUDIO_SUFFIXES
from ..sources.kinds import kind_of
from .archived import Archives, Found, Opened, Row, included_by, is_named_archive, opened
from .contents import Lister, here
from .folders import Walk
from .lists import kind_rows, list_rows, web_rows

FILES = pa.schema(
    [
        pa.field("source", pa.string()),
        pa.field("source_rank", pa.int32()),  # position of the source in the configuration
        pa.field("path", pa.string()),  # relative to the source, / separated
        pa.field("uri", pa.string()),  # what a worker opens
        pa.field("size", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("etag", pa.string()),
        pa.field("absent", pa.string()),  # of a file that a list names: `looking.GONE` or `UNANSWERED`, else null
    ]
)
ROWS_PER_BATCH = 1 << 16


def list_sources(sources: Iterable[Source], notices: list[str], lister: Lister = here) -> Iterator[pa.RecordBatch]:
    """Files of all sources (`FILES`), batch by batch, members of archives last. `notices` as in `own_files`."""
    archives = archives_of(sources)
    yield from own_files(archives, notices)
    yield from members(archives, lister)
    notices.extend(left_out(archives))


def require_there(sources: Iterable[Source]) -> None:
    """Raises `ConfigError` for a folder or file of this machine that is not there."""
    for source in sources:
        if "://" not in source.path and not (root := _root(source)).exists():
            written = f" (`path: {source.path}`)" if str(root) != source.path else ""
            raise ConfigError(
                f"source {source.name!r}: {root} does not exist{written}. Paths in a configuration are relative to the "
                f"folder in which the command runs ({Path.cwd()}), not to the configuration's own."
            )


def _root(source: Source) -> Path:
    return Path(source.path).expanduser().absolute()


def archives_of(sources: Iterable[Source]) -> list[Archives]:
    """Of each source those that are found in it, none yet."""
    return [Archives(source, rank) for rank, source in enumerate(sources)]


def own_files(archives: Sequence[Archives], notices: list[str]) -> Iterator[pa.RecordBatch]:
    """Files of all sources that lie in no archive (`FILES`), batch by batch: 10^7 of them take gigabytes. Archives are
    added to those of their source, to be listed.

    notices: gets a line per kind of thing that was left out on purpose (links out of the tree, names that are not
    text). Raises `ConfigError` for a source that is not there: an unmounted disk must not look like a folder whose
    files are all gone.
    """
    for each in archives:
        for batch in _batches(_rows(each.source, each.rank, each, notices)):
            each.files += batch.num_rows
            yield batch


def members(
    archives: Sequence[Archives], lister: Lister, note: Callable[[Opened], None] = lambda opened: None
) -> Iterator[pa.RecordBatch]:
    """What the archives that wait hold (`FILES`), batch by batch.

    An archive that cannot be read, or only to some point, is a file of its own as well, which then fails.
    note: is told of each archive that was listed.
    """

    def rows() -> Iterator[Row]:
        for each in opened(archives, lister):
            note(each)
            for row in each.archives.rows(each.found, each.held):
                each.archives.files += 1
                yield row

    return _batches(rows())


def left_out(archives: Sequence[Archives]) -> Iterator[str]:
    """A line per kind of member that was left out, and per source without any file."""
    for each in archives:
        yield from each.notices()


def _rows(source: Source, rank: int, archives: Archives, notices: list[str]) -> Iterator[Row]:
    if (kind := kind_of(source.path)) is not None:
        return kind_rows(source, rank, archives, notices, kind)
    if is_list(source.path):
        return list_rows(source, rank, archives, notices)
    if source.path.startswith(("http://", "https://")):
        return web_rows(source, rank, archives, notices)
    return _remote(source, rank, archives) if "://" in source.path else _local(source, rank, archives, notices)


def _local(source: Source, rank: int, archives: Archives, notices: list[str]) -> Iterator[Row]:
    require_there([source])
    root = _root(source)
    if root.is_file():
        found = root.stat()
        if is_named_archive(root.name):
            archives.add(Found(root.name, str(root), found.st_size, found.st_mtime_ns, None))
        else:
            yield _row(source, rank, root.name, str(root), found)
        return
    real_root = root.resolve()
    outside = undecodable = 0
    walk, included = Walk(root), included_by(source)
    for file, relative in walk:
        packed = is_named_archive(file.name)
        if not packed and os.path.splitext(file.name)[1].lower() not in AUDIO_SUFFIXES:
            archives.look(file.name)
            continue
        try:
            relative.encode()
        except UnicodeEncodeError:
            undecodable += 1
            continue
        if not packed and not included(relative):
            continue
        try:
            if file.is_symlink() and not Path(file.path).resolve().is_relative_to(real_root):
                outside += 1
                continue
            found = file.stat()
        except OSError:
            # gone since the folder was read: the next listing settles it
            continue
        if not stat.S_ISREG(found.st_mode):
            continue
        if packed:
            archives.add(Found(relative, file.path, found.st_size, found.st_mtime_ns, None))
        else:
            yield _row(source, rank, relative, file.path, found)
    notices.extend(walk.notices(source.name))
    if outside:
        links = counted(outside, "link leads", "links lead")
        notices.append(f"source {source.name!r}: {links} out of {root}: not followed")
    if undecodable:
        names = counted(undecodable, "file name is", "file names are")
        notices.append(f"source {source.name!r}: {names} not UTF-8 and left out: rename them")


def _remote(source: Source, rank: int, archives: Archives) -> Iterator[Row]:
    store, included = Store(source.path), included_by(source)
    for entry in store.list():
        uri, mtime_ns = f"{store.url}/{entry.path}", int(entry.modified_s * 1e9)
        if is_named_archive(entry.path):
            archives.add(Found(entry.path, uri, entry.size, mtime_ns, entry.etag))
        elif Path(entry.path).suffix.lower() in AUDIO_SUFFIXES and included(entry.path):
            yield Row(source.name, rank, entry.path, uri, entry.size, mtime_ns, entry.etag)
        else:
            archives.look(entry.path)


def _row(source: Source, rank: int, relative: str, path: str, found: os.stat_result) -> Row:
    return Row(source.name, rank, relative, path, found.st_size, found.st_mtime_ns, None)


def _batches(rows: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    while held := list(islice(rows, ROWS_PER_BATCH)):
        columns = [pa.array(column, field.type) for column, field in zip(zip(*held, strict=True), FILES, strict=True)]
        # as objects they take many times the batch, and would be there until the next ones all are
        del held
        yield pa.RecordBatch.from_arrays(columns, schema=FILES)
