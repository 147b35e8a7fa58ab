"""Members of archives as files of a source: which are taken, what is left out, what a broken archive becomes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fsspec.utils import glob_translate

from ...schemas.counted import counted
from ...schemas.errors import ConfigError
from ...schemas.keys import digest
from ...schemas.source_config import Source
from ..archives.member import PACKED, SUFFIXES, End, member_uri
from ..sources.looking import LeftOut
from .contents import Contents, Lister, Wanted

EVERYTHING = ["**/*"]
"""`include` where it was left out."""
WHOLE = " of "
"""In the mark of a member that changes as its archive does: between its place and the archive's state."""


class Row(NamedTuple):
    """A file as `files.FILES` has it."""

    source: str
    source_rank: int
    path: str
    uri: str
    size: int
    mtime_ns: int
    etag: str | None
    absent: str | None = None


def is_named_archive(name: str) -> bool:
    """Whether a file of that name is listed as the members that it holds."""
    return name.lower().endswith(SUFFIXES)


class Found(NamedTuple):
    """An archive of a source, before it is opened."""

    path: str
    uri: str
    size: int
    mtime_ns: int
    etag: str | None

    def wanted(self, since: End | None = None) -> Wanted:
        """It, to be listed."""
        return Wanted(self.uri, self.size, self.mtime_ns, self.etag, since)


@dataclass
class Archives:
    """The archives of one source: those that were found and are not listed yet, and what listing them left out."""

    source: Source
    rank: int
    waiting: list[tuple[Found, End | None]] = field(default_factory=list)
    """With where it ended, of one that grew since."""
    files: int = 0
    """Of the source, members of its archives among them."""
    _left_out: dict[str, LeftOut] = field(default_factory=dict)
    _packed: LeftOut = field(default_factory=LeftOut)
    _broken: LeftOut = field(default_factory=LeftOut)

    @property
    def taken_by(self) -> str:
        """Changes whenever other members of the same archives would be taken."""
        return digest("archive/1", *self.source.include)

    def add(self, found: Found) -> None:
        """Have an archive listed."""
        self.waiting.append((found, None))

    def rows(self, found: Found, held: Contents) -> Iterator[Row]:
        """The recordings in an archive; of a broken one, itself as well.

        A member is known again by its own size, time and place: what is appended to a tar leaves the others alone.
        """
        included, whole = included_by(self.source), f"{found.size}-{found.mtime_ns}-{found.etag or ''}"
        taken = included(found.path) is not None
        self.leave_out(found.path, held.left_out)
        for member in held.recordings:
            path = f"{found.path}/{member.name}"
            if taken or included(path):
                # a tar says when each member was written; what does not changes as a whole
                mark = member.place if member.mtime_ns else f"{member.place}{WHOLE}{whole}"
                place, time_ns = member_uri(found.uri, member), member.mtime_ns or found.mtime_ns
                yield Row(self.source.name, self.rank, path, place, member.size, time_ns, mark)
        if held.broken is not None:
            self._broken.add(held.broken)
            yield Row(self.source.name, self.rank, *found)

    def leave_out(self, path: str, left_out: dict[str, LeftOut]) -> None:
        """Count members of an archive that are not taken."""
        for why, each in left_out.items():
            self._left_out.setdefault(why, LeftOut()).merge(LeftOut(each.count, f"{path}/{each.example}"))

    def look(self, name: str) -> None:
        """Count a file that is neither taken for audio nor for an archive, where somebody may wonder about it."""
        if name.lower().endswith(PACKED):
            self._packed.add(name)

    def notices(self) -> Iterator[str]:
        """A line per kind of thing that was left out, and for a source without any file."""
        source = f"source {self.source.name!r}"
        if self._broken.count:
            archives = counted(self._broken.count, "archive")
            yield f"{source}: {archives} cannot be read to their end: {self._broken.example}"
        if self._packed.count:
            tars = counted(self._packed.count, "compressed tar is", "compressed tars are")
            yield (
                f"{source}: {tars} not read, for example {self._packed.example}: "
                "every member would be unpacked from the beginning. Unpack them to .tar; audio hardly shrinks"
            )
        for why, found in sorted(self._left_out.items()):
            members = counted(found.count, "member of archives is", "members of archives are")
            yield f"{source}: {members} left out. Each {why}, for example {found.shown()}"
        if not self.files:
            narrowed = f" that `include` {self.source.include} takes" if self.source.include != EVERYTHING else ""
            yield f"{source}: no audio files in {self.source.path}{narrowed}"


class Opened(NamedTuple):
    """An archive that was listed."""

    archives: Archives
    found: Found
    held: Contents


def opened(every: Sequence[Archives], lister: Lister) -> Iterator[Opened]:
    """The archives of all sources that wait, as they are listed; then none waits."""
    jobs = [(archives, found, since) for archives in every for found, since in archives.waiting]
    for archives in every:
        archives.waiting = []
    for place, held in lister([found.wanted(since) for _, found, since in jobs]):
        archives, found, _ = jobs[place]
        yield Opened(archives, found, held)


def included_by(source: Source) -> Callable[[str], object]:
    """Whether a path below the source matches one of its globs, as shells and `glob` read them: `*` stays within a
    folder, `**` is any number of folders, also none. Raises `ConfigError` for one that cannot be read."""
    patterns = []
    for glob in source.include:
        try:
            patterns.append(glob_translate(glob))
        except (ValueError, re.error) as error:
            raise ConfigError(f"source {source.name!r}: include {glob!r}: {error}") from error
    return re.compile("|".join(patterns) or r"(?!)").match
