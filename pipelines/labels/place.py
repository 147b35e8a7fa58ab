"""A source's folder as label formats see it: named files, lines of bounded length, what lies beside the audio; files in
archives have the archive as their folder."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TextIO, cast

from ...loaders.storage.store import Store
from ...loaders.storage.store import located as object_at
from ...schemas.errors import ConfigError, IntegrityError
from ...schemas.sources import file_uri, is_address, is_list, listed_path, uri_prefix
from ..archives.bytes_of import is_archive
from ..archives.member import SUFFIXES, ArchiveError, Located, Member, located
from ..archives.packed import members, read

LONGEST_LINE = 1 << 27
"""Characters: the transcript of a recording of hours is one line; a file without line ends is not."""
LARGEST_WHOLE = 256 << 20
"""Bytes of a file that is parsed as a whole: one recording's words, cues or tiers."""
HEAD_BYTES = 1 << 16
"""Of a file, read to recognise it."""
HERE = PurePosixPath(".")
ODD = frozenset(("", ".", ".."))
"""Parts of a path that are not names."""
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Place:
    """Files below a source's root, local or in an object store. Names are relative and `/`-separated."""

    def __init__(self, root: str, source: str = "", audio: Callable[[], Iterable[str]] = tuple) -> None:
        """root: folder or URL. source: its name, for messages. audio: gives the recordings' paths, sorted."""
        self.source, self.audio, self._given = source or root, audio, root
        self._list = root if is_list(root) or root.startswith(("http://", "https://")) else None
        if self._list is not None:
            # its labels lie beside it
            root = uri_prefix(root)
        self._store = Store(root) if "://" in root else None
        path = Path(root).expanduser() if self._store is None else Path()
        self._root = path.parent if path.is_file() else path
        self._folder: tuple[str, list[str]] | None = None
        self._archive: tuple[str, dict[str, Member] | None] | None = None

    @contextlib.contextmanager
    def lines(self, name: str) -> Iterator[Iterator[str]]:
        """The lines of a text file, their ends as they are; what is no UTF-8 or UTF-16 is replaced.

        Raises `ConfigError` when there is no such file.
        """
        with self.binary(name) as raw, io.BufferedReader(cast("io.RawIOBase", raw)) as peeked:
            start = peeked.peek(4)[:4]
            encoding = next((e for bom, e in BOMS if start.startswith(bom)), "utf-8")
            with io.TextIOWrapper(peeked, encoding=encoding, errors="replace", newline="") as file:
                yield bounded(file)

    def whole(self, name: str) -> str:
        """A text file of one recording. Raises `ConfigError` for one that is not there or above `LARGEST_WHOLE`."""
        with self.lines(name) as lines:
            held, size = [], 0
            for line in lines:
                held.append(line)
                size += len(line)
                if size > LARGEST_WHOLE:
                    raise ConfigError(f"source {self.source!r}: {name} is larger than {LARGEST_WHOLE >> 20} MiB")
        return "".join(held)

    def head(self, name: str) -> str:
        """The first characters of a text file."""
        with self.lines(name) as lines:
            held = ""
            with contextlib.suppress(OSError, EOFError):
                for line in lines:
                    held += line
                    if len(held) >= HEAD_BYTES:
                        break
        return held[:HEAD_BYTES]

    @contextlib.contextmanager
    def binary(self, name: str) -> Iterator[BinaryIO]:
        """The bytes of a file, unpacked where its name ends with .gz. Raises `ConfigError` when it cannot be read."""
        with contextlib.ExitStack() as stack:
            try:
                if (packed := self._packed(name)) is not None:
                    yield self._unpacked(name, packed)
                    return
                if self._store is not None:
                    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="auricle-labels-"))
                    store, far = self._far(name)
                    path = store.local(far, Path(folder))
                else:
                    path = self._root / name
                file = stack.enter_context(path.open("rb"))
            except (OSError, IntegrityError, ValueError, ArchiveError) as error:
                raise ConfigError(
                    f"source {self.source!r}: its transcripts {name!r} cannot be read under {self._given}. "
                    "`transcripts` is relative to the source's `path`."
                ) from error
            yield cast("BinaryIO", gzip.GzipFile(fileobj=file)) if name.endswith(".gz") else file

    def local(self, name: str) -> Path | None:
        """Path of a file on this machine's disk, None for one in an object store."""
        return None if self._store is not None else self._root / name

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        if self._packed(name) is not None:
            return True
        if self._store is not None:
            store, far = self._far(name)
            return store.exists(far)
        return (self._root / name).is_file()

    def _far(self, name: str) -> tuple[Store, str]:
        """The store of a file that is not on this machine, and its path there."""
        assert self._store is not None
        return object_at(f"{self._store.url}/{name}") if self._store.is_web else (self._store, name)

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted; asked again about the same folder, it is not read again."""
        if self._folder is None or self._folder[0] != folder:
            if (index := self._index(f"{folder}/-")) is not None:
                below = f"{folder}/"
                here = (name.removeprefix(below) for name in index if name.startswith(below))
                self._folder = folder, sorted(name for name in here if "/" not in name)
                return self._folder[1]
            if self._store is not None:
                below = "" if folder in ("", ".") else f"{folder}/"
                # a web server lists nothing
                entries = () if self._store.is_web else self._store.list("" if folder == "." else folder)
                found = [e.path.removeprefix(below) for e in entries]
                names = [name for name in found if "/" not in name]
            else:
                with contextlib.suppress(OSError), os.scandir(self._root / folder) as entries:
                    names = [entry.name for entry in entries if entry.is_file()]
                    self._folder = folder, sorted(names)
                    return self._folder[1]
                names = []
            self._folder = folder, sorted(names)
        return self._folder[1]

    def walk(self, pattern: str) -> Iterator[str]:
        """Files below the root whose path fits a glob (`**/` also matches no folder), sorted within each folder."""
        fits = [pattern, pattern.removeprefix("**/"), pattern.replace("/**/", "/")]
        if self._store is not None:
            every: Iterable[str] = [] if self._store.is_web else sorted(entry.path for entry in self._store.list())
        else:
            every = self._walk_local()
        for path in every:
            if any(fnmatchcase(path, fit) for fit in fits):
                yield path
            if path.lower().endswith(SUFFIXES):
                for name in sorted(self._index(f"{path}/-") or ()):
                    if any(fnmatchcase(name, fit) for fit in fits):
                        yield name

    def _walk_local(self) -> Iterator[str]:
        for folder, below, files in os.walk(self._root):
            below.sort()
            relative = Path(folder).relative_to(self._root).as_posix()
            for name in sorted(files):
                yield name if relative == "." else f"{relative}/{name}"

    def _index(self, name: str) -> Mapping[str, Member] | None:
        """Members of the archive that `name` lies in, by their names below the root; None where it lies in none."""
        found = located(name)
        if found is None:
            return None
        if self._archive is None or self._archive[0] != found.archive:
            uri = self._uri(found.archive)
            index: dict[str, Member] | None = None
            if is_archive(uri):
                index = {}
                with contextlib.suppress(ArchiveError):
                    # what can be read of a broken one
                    for member in members(uri):
                        index[f"{found.archive}/{member.name}"] = member
            self._archive = found.archive, index
        return self._archive[1]

    def _packed(self, name: str) -> Member | None:
        """The member that `name` is, of an archive; None for a file of its own."""
        index = self._index(name)
        return index.get(name) if index is not None else None

    def _unpacked(self, name: str, member: Member) -> BinaryIO:
        archive = name[: -len(member.name) - 1]
        uri = self._uri(archive)
        if member.size > LARGEST_WHOLE:
            raise ConfigError(f"source {self.source!r}: {name} is larger than {LARGEST_WHOLE >> 20} MiB")
        data = io.BytesIO(b"".join(read(Located(uri, member.name, member.place))))
        return cast("BinaryIO", gzip.GzipFile(fileobj=data)) if name.endswith(".gz") else data

    def _uri(self, archive: str) -> str:
        if self._list is not None:
            return file_uri(self._list, archive)
        return f"{self._store.url if self._store else self._root}/{archive}"

    def relative(self, file: str, folder: PurePosixPath) -> str | None:
        """`file`, as a label file in `folder` names it, relative to the source; None when it is empty or outside."""
        if not file:
            return None
        if folder is HERE and file[0] not in "/\\" and ODD.isdisjoint(file.split("/")):
            # as nearly every label file has it; paths as objects take longer than all else here
            return file
        if self._list is not None:
            with contextlib.suppress(ValueError):
                return listed_path(file if is_address(file) else str(folder / file), self._list)
            return None
        if self._store is not None and file.startswith(f"{self._store.url}/"):
            path = PurePosixPath(file.removeprefix(f"{self._store.url}/"))
        elif (path := PurePosixPath(file)).is_absolute():
            root = PurePosixPath(self._root.absolute().as_posix())
            if not path.is_relative_to(root):
                return None
            path = path.relative_to(root)
        else:
            path = folder / path
        parts: list[str] = []
        for part in path.parts:
            if part == "..":
                if not parts:
                    return None
                parts.pop()
            elif part != ".":
                parts.append(part)
        return "/".join(parts) or None


def bounded(file: TextIO) -> Iterator[str]:
    """Lines of at most `LONGEST_LINE` characters: a longer one comes in pieces."""
    return iter(partial(file.readline, LONGEST_LINE), "")


def folder_of(name: str) -> PurePosixPath:
    """Folder of a label file, relative to its source."""
    folder = PurePosixPath(name).parent
    return HERE if folder == HERE else folder


class Index:
    """A table of names on this machine's disk: conventions that keep one recording's facts in several files."""

    def __init__(self) -> None:
        # sqlite's own temporary database: in memory while small, then in a file that goes with the connection
        self._db = sqlite3.connect("")
        self._db.execute("CREATE TABLE found (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")

    def fill(self, pairs: Iterable[tuple[str, str]]) -> Index:
        """Take in (name, value), the first of a name."""
        self._db.executemany("INSERT OR IGNORE INTO found VALUES (?, ?)", pairs)
        return self

    def get(self, name: str) -> str | None:
        """The value of a name."""
        row = self._db.execute("SELECT value FROM found WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *error: object) -> None:
        self._db.close()
