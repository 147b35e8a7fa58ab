"""Lists of recordings: a file whose lines name paths and addresses, each looked at where it is; and one web address."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from ...loaders.storage.store import AT_ONCE, Store, in_order, located
from ...schemas.config import Source
from ...schemas.errors import ConfigError, StorageError
from ...schemas.sources import file_uri, listed_path
from ..labels.formats import Options
from ..labels.place import Place
from ..labels.read import Tally
from ..labels.rows import Unusable, shown
from ..labels.tables import columns_of, delimited, json_lines, no_file_column
from .archived import Archives, Row, included_by, is_named_archive
from .folders import LeftOut

GONE, UNANSWERED = "gone", "unanswered"
"""There is no such file; or nobody can say now whether there is."""
LOOKED_AT = 1 << 10
"""Lines that are held at once."""
EVERYTHING = ["**/*"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file system or server says of a file before it is opened."""

    size: int = 0
    mtime_ns: int = 0
    etag: str | None = None
    absent: str | None = None
    why: str = ""


@dataclass
class Looking:
    """Asks for the facts of files wherever they are, many servers at once; counts those that are not there."""

    gone: LeftOut = field(default_factory=LeftOut)
    unanswered: LeftOut = field(default_factory=LeftOut)
    _buckets: dict[str, Store] = field(default_factory=dict)

    def each(self, uris: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, Facts]]:
        """(path, URI, facts) of each (path, URI), in order."""
        waiting = iter(uris)
        with ThreadPoolExecutor(AT_ONCE, "auricle-list") as pool:
            while held := list(islice(waiting, LOOKED_AT)):
                far = in_order(pool, (self._asking(uri) for _, uri in held if "://" in uri), AT_ONCE)
                for path, uri in held:
                    found = next(far) if "://" in uri else facts_here(uri)
                    if found.absent == GONE:
                        self.gone.add(path)
                    elif found.absent == UNANSWERED:
                        self.unanswered.add(f"{path} ({found.why})")
                    yield path, uri, found

    def notices(self, source: str) -> Iterator[str]:
        """A line per kind of file that is not there."""
        if self.gone.count:
            gone = f"{self.gone.count:,} files that it names are not there"
            yield f"source {source!r}: {gone}, for example {_shown(self.gone)}"
        if self.unanswered.count:
            yield (
                f"source {source!r}: {self.unanswered.count:,} files that it names cannot be looked at now. Those that "
                f"are known stay, and the others are tried again; for example {_shown(self.unanswered)}"
            )

    def _asking(self, uri: str) -> Callable[[], Facts]:
        scheme, _, rest = uri.partition("://")
        if scheme in ("http", "https"):
            return partial(_facts_there, *located(uri))
        bucket, _, name = rest.partition("/")
        if (url := f"{scheme}://{bucket}") not in self._buckets:
            self._buckets[url] = Store(url)
        return partial(_facts_there, self._buckets[url], name)


def facts_here(path: str) -> Facts:
    """Of a file on this machine."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Facts(absent=GONE)
    except (OSError, ValueError) as error:
        return Facts(absent=UNANSWERED, why=str(getattr(error, "strerror", None) or error))
    if not stat.S_ISREG(found.st_mode):
        return Facts(absent=GONE)
    return Facts(found.st_size, found.st_mtime_ns)


def _facts_there(store: Store, name: str) -> Facts:
    try:
        found = store.entry(name)
    except StorageError as error:
        return Facts(absent=UNANSWERED, why=str(error).removeprefix(f"{store.url}/{name}: "))
    if found is None:
        return Facts(absent=GONE)
    return Facts(found.size, int(found.modified_s * 1e9), found.etag)


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


def _looked_at(source: Source, rank: int, archives: Archives, files: Iterable[tuple[str, str, Facts]]) -> Iterator[Row]:
    for path, uri, found in files:
        if is_named_archive(path) and found.absent is None:
            yield from archives.rows(path, uri, found.size, found.mtime_ns, found.etag)
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
            tally.add(Unusable("its recording's name is no UTF-8", where))
        except ValueError as error:
            tally.add(Unusable(str(error), where))
        else:
            yield path


def _records(source: Source) -> Iterator[tuple[str, str] | Unusable]:
    """(where it is, the address) of each line."""
    name = source.path.rstrip("/").rpartition("/")[2]
    place, options = Place(source.path, source.name), _options(source)
    if not place.has(name):
        raise ConfigError(f"source {source.name!r}: {source.path} does not exist. Check `path` of the list.")
    ending = os.path.splitext(name)[1].lower()
    if ending in (".txt", ".lst", ".list"):
        with place.lines(name) as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip() and not line.startswith("#"):
                    yield f"line {number}: {shown(line)}", line
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


def _text(cells: Mapping[str, Any], column: str | None) -> str:
    found = cells.get(column) if column is not None else None
    return found if isinstance(found, str) else ""


def _options(source: Source) -> Options:
    return Options(dict(source.labels.columns) if source.labels else {})


def _shown(found: LeftOut) -> str:
    return found.example.encode(errors="replace").decode()
