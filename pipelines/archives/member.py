"""A member of an archive: what it is called, and how it is written in a URI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

SUFFIXES = (".tar", ".zip", ".parquet", ".arrow")
"""Names that are taken for archives when a folder is listed."""
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
"""Tars that are compressed as a whole: to reach one member, all before it must be unpacked again."""
IN_ARCHIVE = re.compile(
    r"(?P<archive>.+?\.(?:tar|zip|parquet|arrow))/(?P<name>.+?)(?:#@(?P<place>[0-9+.]+))?", re.IGNORECASE | re.DOTALL
)


class ArchiveError(Exception):
    """An archive that cannot be read; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive, or one row of a table with audio."""

    name: str
    """Relative to the archive, `/`-separated, without `..`."""
    size: int
    """Bytes; of a row of a table, about."""
    mtime_ns: int
    """As the archive has it; 0 where it has none."""
    place: str
    """Where it is, as its archive finds it again without its directory."""
    is_audio: bool = False
    """Whether it is known to be audio, whatever its name is."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A member that is not taken."""

    why: str
    name: str


@dataclass(frozen=True, slots=True)
class End:
    """Where an archive ends that may grow: what is behind it later was appended, if nothing before it changed."""

    offset: int
    """In bytes."""
    tail_sha256: str
    """Of the last bytes before it."""


@dataclass(frozen=True, slots=True)
class Located:
    """Which member of which archive a URI is of."""

    archive: str
    name: str
    place: str | None


def member_uri(archive: str, member: Member) -> str:
    """What opens a member: the archive's URI, its name, and its place."""
    return f"{archive}/{member.name}#@{member.place}"


def located(uri: str) -> Located | None:
    """The member that a URI may be of: a folder may be called like an archive, too. None for one that cannot be."""
    found = IN_ARCHIVE.fullmatch(uri)
    return Located(found["archive"], found["name"], found["place"]) if found else None


def safe_name(name: str) -> str | None:
    """A member's name as a path below its archive; None for one that leads out of it, or has no name."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        return None
    try:
        name.encode()
    except UnicodeEncodeError:
        return None
    return "/".join(path.parts) or None


def last_of_each(members: Iterable[Member]) -> Iterator[Member]:
    """Of members with one name the last, as unpacking would leave it; in the order of the archive."""
    chosen: dict[str, Member] = {}
    for member in members:
        chosen.pop(member.name, None)
        chosen[member.name] = member
    yield from chosen.values()
