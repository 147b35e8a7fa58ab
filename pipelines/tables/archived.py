"""Members of archives as files of a source: which are taken, what is left out, what a broken archive becomes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from fsspec.utils import glob_translate

from ...schemas.config import Source
from ...schemas.errors import ConfigError
from ..archives.member import PACKED, SUFFIXES, ArchiveError, Unusable, member_uri
from ..archives.packed import members
from ..audio.decode import AUDIO_SUFFIXES
from ..sources.looking import LeftOut
from ..work.hang import Step
from ..work.own_process import run_each

MANY = 64
"""Archives from which on other processes list them: fewer are done before those have started."""
HERE_S = 3.0
"""How long archives are listed here before that: what is listed in a moment needs no other process."""
AT_ONCE = 1024
"""Archives that are handed out at once: what is known of them is held until all before it was taken."""


class Row(NamedTuple):
    """A file as `listing.FILES` has it."""

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


Job = tuple[Source, int, Found]


@dataclass
class Archives:
    """The archives of one source."""

    source: Source
    rank: int
    _waiting: list[Found] = field(default_factory=list)
    _left_out: dict[str, LeftOut] = field(default_factory=dict)
    _packed: LeftOut = field(default_factory=LeftOut)
    _broken: LeftOut = field(default_factory=LeftOut)

    def rows(self, found: Found) -> Iterator[Row]:
        """The recordings in an archive; of a broken one, itself as well.

        A member is known again by its own size, time and place: what is appended to a tar leaves the others alone.
        """
        included, whole = included_by(self.source), f"{found.size}-{found.mtime_ns}-{found.etag or ''}"
        taken = included(found.path) is not None
        try:
            for member in members(found.uri):
                if isinstance(member, Unusable):
                    self._left_out.setdefault(member.why, LeftOut()).add(f"{found.path}/{member.name}")
                    continue
                path = f"{found.path}/{member.name}"
                is_audio = member.is_audio or os.path.splitext(member.name)[1].lower() in AUDIO_SUFFIXES
                if is_audio and (taken or included(path)):
                    # a tar says when each member was written; what does not changes as a whole
                    mark = member.place if member.mtime_ns else f"{member.place} of {whole}"
                    place = member_uri(found.uri, member)
                    time_ns = member.mtime_ns or found.mtime_ns
                    yield Row(self.source.name, self.rank, path, place, member.size, time_ns, mark)
        except ArchiveError as error:
            self._broken.add(str(error))
            yield self._whole(found)

    def later(self, found: Found) -> None:
        """Have an archive listed by `waiting`."""
        self._waiting.append(found)

    def waiting(self, processes: int) -> Iterator[Row]:
        """`rows` of all archives that wait, in order. Where that takes long, `processes` processes go on with the rest,
        and one that ends its process is a file that fails."""
        done, began = 0, time.monotonic()
        for found in self._waiting:
            left = len(self._waiting) - done
            if processes > 1 and left >= MANY and time.monotonic() - began > HERE_S:
                break
            yield from self.rows(found)
            done += 1
        # what is listed early is held until its turn comes
        for start in range(done, len(self._waiting), AT_ONCE):
            jobs = [(self.source, self.rank, found) for found in self._waiting[start : start + AT_ONCE]]
            for rows, other in run_each(_listed, jobs, _died, processes):
                for why, left_out in other._left_out.items():
                    self._left_out.setdefault(why, LeftOut()).merge(left_out)
                self._broken.merge(other._broken)
                yield from rows

    def ended(self, found: Found, code: int | None) -> list[Row]:
        """The row of an archive whose listing ended its process."""
        self._broken.add(f"{found.uri}: its listing ended the process with code {code}")
        return [self._whole(found)]

    def _whole(self, found: Found) -> Row:
        return Row(self.source.name, self.rank, *found)

    def look(self, name: str) -> None:
        """Count a file that is neither taken for audio nor for an archive, where somebody may wonder about it."""
        if name.lower().endswith(PACKED):
            self._packed.add(name)

    def notices(self) -> Iterator[str]:
        """A line per kind of thing that was left out."""
        source = f"source {self.source.name!r}"
        if self._broken.count:
            yield f"{source}: {self._broken.count:,} archives cannot be read to their end: {self._broken.example}"
        if self._packed.count:
            yield (
                f"{source}: {self._packed.count:,} compressed tars are not read, for example {self._packed.example}: "
                "every member would be unpacked from the beginning. Unpack them to .tar; audio hardly shrinks"
            )
        for why, found in sorted(self._left_out.items()):
            yield f"{source}: {found.count:,} members of archives are left out. Each {why}, for example {found.shown()}"


def _listed(job: Job) -> tuple[list[Row], Archives]:
    source, rank, found = job
    archives = Archives(source, rank)
    return list(archives.rows(found)), archives


def _died(job: Job, code: int | None, _: Step | None) -> tuple[list[Row], Archives]:
    source, rank, found = job
    archives = Archives(source, rank)
    return archives.ended(found, code), archives


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
