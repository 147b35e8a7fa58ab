"""One way to list any archive and to read a member of it; the archives read last stay open in this process."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from .bytes_of import is_archive, open_bytes
from .member import ArchiveError, End, Located, Member, Unusable, last_of_each, located
from .rows import Table
from .tars import Tar
from .zips import Zip

OPEN = 2
"""Archives that stay open between members: a unit of work ends in one, the next begins there."""


class Archive(Protocol):
    """An open archive."""

    def members(self) -> Iterator[Member | Unusable]:
        """Everything that is no folder, in order; the first of a cut-off archive, then `ArchiveError`."""
        ...

    def read(self, place: str) -> Iterator[bytes]:
        """The bytes of a member, in pieces. Raises `ArchiveError`."""
        ...


KINDS = {".tar": Tar, ".zip": Zip, ".parquet": Table, ".arrow": Table}


@dataclass
class Listed:
    """What an archive holds besides folders; of several members with one name the last, as unpacking leaves it."""

    members: list[Member] = field(default_factory=list)
    unusable: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Why members are not taken: how many, and the name of the first."""
    broken: str | None = None
    """Why it could not be read to its end."""
    end: End | None = None
    """Of one that may grow."""
    continued: bool = False
    """Whether only what is behind the end that was asked for was read."""


def listed(archive: str, since: End | None = None) -> Listed:
    """Walk an archive; one that grew since it ended there from there on. One that cannot be opened is `broken`.

    archive: its path or URL.
    """
    found = Listed()
    held: list[Member] = []
    try:
        with closing(open_bytes(archive)) as file:
            opened = _archive(file, archive)
            found.continued = isinstance(opened, Tar) and since is not None and opened.goes_on(since)
            start = since.offset if since is not None and found.continued else 0
            for each in opened.members(start) if isinstance(opened, Tar) else opened.members():
                if isinstance(each, Unusable):
                    count, first = found.unusable.get(each.why, (0, each.name))
                    found.unusable[each.why] = count + 1, first
                else:
                    held.append(each)
            found.end = opened.end() if isinstance(opened, Tar) else None
    except ArchiveError as error:
        found.broken = str(error)
    found.members = list(last_of_each(held))
    return found


def members(archive: str) -> Iterator[Member]:
    """The members of an archive that can be taken. Raises `ArchiveError` for one that cannot be read; of one that is
    cut off, after what comes before.

    archive: its path or URL.
    """
    found = listed(archive)
    yield from found.members
    if found.broken is not None:
        raise ArchiveError(found.broken)


def member_of(uri: str) -> Located | None:
    """The member of an archive that a URI opens; None for a file of its own, also below a folder with such a name."""
    found = located(uri)
    if found is None or ("://" not in uri and os.path.exists(uri)):
        return None
    return found if found.place is not None or is_archive(found.archive) else None


def read(member: Located) -> Iterator[bytes]:
    """The bytes of a member, in pieces. Raises `ArchiveError` when it, or its archive, is gone or damaged."""
    with _kept(member.archive) as opened:
        place = opened.place_of(member.name) if member.place is None else member.place
        yield from opened.archive.read(place)


@dataclass
class _Opened:
    name: str
    file: BinaryIO
    stamp: tuple[int, ...]
    archive: Archive
    _places: dict[str, str] = field(default_factory=dict)

    def place_of(self, name: str) -> str:
        if not self._places:
            self._places = {found.name: found.place for found in members(self.name)}
        if name not in self._places:
            raise ArchiveError(f"{self.name}: it has no member {name!r}")
        return self._places[name]


_open: OrderedDict[str, _Opened] = OrderedDict()
_lock = threading.Lock()


@contextmanager
def _kept(archive: str) -> Iterator[_Opened]:
    """An open archive, which stays open for the next one who asks; nobody else has it meanwhile."""
    with _lock:
        found = _open.pop(archive, None)
    if found is not None and found.stamp != _stamp(archive):
        found.file.close()
        found = None
    if found is None:
        stamp, file = _stamp(archive), open_bytes(archive)
        try:
            found = _Opened(archive, file, stamp, _archive(file, archive))
        except BaseException:
            file.close()
            raise
    try:
        yield found
    finally:
        with _lock:
            gone = [_open.pop(archive)] if archive in _open else []
            _open[archive] = found
            gone += [_open.popitem(last=False)[1] for _ in range(len(_open) - OPEN)]
        for old in gone:
            old.file.close()


def _archive(file: BinaryIO, name: str) -> Archive:
    return KINDS[os.path.splitext(name)[1].lower()](file, name)


def _stamp(archive: str) -> tuple[int, ...]:
    """What shows that a file on this disk is another one now."""
    if "://" in archive:
        return ()
    try:
        found = os.stat(archive)
    except OSError as error:
        raise ArchiveError(f"{archive}: {error.strerror}") from error
    return found.st_ino, found.st_size, found.st_mtime_ns
