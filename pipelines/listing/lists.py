"""Lists of recordings: a file whose lines name paths and addresses, each looked at where it is; and one web address."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from ...schemas.errors import ConfigError
from ...schemas.source_config import Source
from ...schemas.sources import file_uri, listed_path
from ..labels.formats import Options
from ..labels.place import Place
from ..labels.read import Tally
from ..labels.rows import Unusable, shown
from ..labels.tables import Where, columns_of, delimited, json_lines, no_file_column
from ..sources.kinds import Recording, SourceKind
from ..sources.looking import LOOKED_AT, Facts, Looking
from .archived import EVERYTHING, Archives, Found, Row, included_by, is_named_archive


def list_rows(source: Source, rank: int, archives: Archives, notices: list[str]) -> Iterator[Row]:
    """The recordings that a list names, and those in archives that it names, in the order of the list.

    A line that names none is counted in a notice. A file that is not there is listed as `absent`: it fails, with its
    reason, unless it is known. Raises `ConfigError` for a list that is not there or has no column with names.
    """
    tally, included, looking = Tally(source.name, PurePosixPath(source.path).name), included_by(source), Looking()

    def named() -> Iterator[tuple[str, str]]:
        for path in _paths(source, tally):
            if source.include == EVERYTHING or is_named_archive(path) or included(path):
                yield path, file_uri(source.path, path)

    yield from _looked_at(source, rank, archives, looking.each(named()))
    if tally.reasons:
        notices.append(tally.notice())
    notices.extend(looking.notices(source.name))


def web_rows(source: Source, rank: int, archives: Archives, notices: list[str]) -> Iterator[Row]:
    """The recording at one web address, or those in the archive there."""
    try:
        path = listed_path(source.path, source.path)
    except ValueError as error:
        raise ConfigError(f"source {source.name!r}: {source.path}: {error}") from error
    looking = Looking()
    yield from _looked_at(source, rank, archives, looking.each([(path, file_uri(source.path, path))]))
    notices.extend(looking.notices(source.name))


def kind_rows(source: Source, rank: int, archives: Archives, notices: list[str], kind: SourceKind) -> Iterator[Row]:
    """The recordings of a source of another kind. Raises `ConfigError` where it has labels of its own and is told of
    others."""
    if source.transcripts is not None:
        raise ConfigError(
            f"source {source.name!r}: {kind.name}:// gives its recordings' labels itself, if it has any; "
            "leave `transcripts` out"
        )
    tally, included, looking = Tally(source.name, source.path), included_by(source), Looking()
    waiting: list[Recording] = []

    def looked_at() -> Iterator[Row]:
        files = [(found.path, found.uri or file_uri(source.path, found.path)) for found in waiting]
        waiting.clear()
        return _looked_at(source, rank, archives, looking.each(files))

    for found in kind.recordings(source.path):
        if isinstance(found, Unusable):
            tally.add(found)
        elif source.include != EVERYTHING and not included(found.path):
            continue
        elif found.size is None:
            waiting.append(found)
            if len(waiting) == LOOKED_AT:
                yield from looked_at()
        else:
            uri = found.uri or file_uri(source.path, found.path)
            yield Row(source.name, rank, found.path, uri, found.size, found.mtime_ns, found.etag)
    yield from looked_at()
    if tally.reasons:
        notices.append(tally.notice())
    notices.extend(looking.notices(source.name))


def _looked_at(source: Source, rank: int, archives: Archives, files: Iterable[tuple[str, str, Facts]]) -> Iterator[Row]:
    for path, uri, found in files:
        if is_named_archive(path) and found.absent is None:
            archives.add(Found(path, uri, found.size, found.mtime_ns, found.etag))
        else:
            yield Row(source.name, rank, path, uri, found.size, found.mtime_ns, found.etag, found.absent)


def _paths(source: Source, tally: Tally) -> Iterator[str]:
    for record in _records(source):
        if isinstance(record, Unusable):
            tally.add(record)
            continue
        where, address = record
        try:
            path = listed_path(address, source.path)
            path.encode()
        except UnicodeEncodeError:
            tally.add(Unusable("its recording's name is no UTF-8", where()))
        except ValueError as error:
            tally.add(Unusable(str(error), where()))
        else:
            yield path


def _records(source: Source) -> Iterator[tuple[Where, str] | Unusable]:
    """(what says where it is, the address) of each line."""
    name = source.path.rstrip("/").rpartition("/")[2]
    place, options = Place(source.path, source.name), _options(source)
    if not place.has(name):
        raise ConfigError(f"source {source.name!r}: {source.path} does not exist. Check `path` of the list.")
    ending = os.path.splitext(name)[1].lower()
    if ending in (".txt", ".lst", ".list"):
        with place.lines(name) as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip() and not line.startswith("#"):
                    yield partial(_line, number, line), line
        return
    if ending in (".tsv", ".csv"):
        records = delimited(place, name, options, "\t" if ending == ".tsv" else ",", quoted=ending == ".csv")
    else:
        records = json_lines(place, name, options)
    usual, odd = False, None
    for record in records:
        if isinstance(record, Unusable):
            yield record
            continue
        where, cells = record
        column = columns_of(tuple(cells), options.columns).get("file")
        usual, odd = usual or column is not None, odd or cells
        yield where, _text(cells, column)
    if odd is not None and not usual:
        raise ConfigError(no_file_column(place, name, odd, options))


def _line(number: int, line: str) -> str:
    return f"line {number}: {shown(line)}"


def _text(cells: Mapping[str, Any], column: str | None) -> str:
    found = cells.get(column) if column is not None else None
    return found if isinstance(found, str) else ""


def _options(source: Source) -> Options:
    return Options(dict(source.labels.columns) if source.labels else {})
