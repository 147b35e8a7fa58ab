"""Members of archives as files of a source: which are taken, what is left out, what a broken archive becomes."""

from __future__ import annotations

import os
import re
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


@dataclass
class Archives:
    """The archives of one source."""

    source: Source
    rank: int
    _left_out: dict[str, LeftOut] = field(default_factory=dict)
    _packed: LeftOut = field(default_factory=LeftOut)
    _broken: LeftOut = field(default_factory=LeftOut)

    def rows(self, relative: str, uri: str, size: int, mtime_ns: int, etag: str | None) -> Iterator[Row]:
        """The recordings in an archive, which lies at `relative` below the source; of a broken one, itself as well.

        A member is known again by its own size, time and place: what is appended to a tar leaves the others alone.
        """
        included, whole = included_by(self.source), f"{size}-{mtime_ns}-{etag or ''}"
        taken = included(relative) is not None
        try:
            for member in members(uri):
                if isinstance(member, Unusable):
                    self._left_out.setdefault(member.why, LeftOut()).add(f"{relative}/{member.name}")
                    continue
                path = f"{relative}/{member.name}"
                is_audio = member.is_audio or os.path.splitext(member.name)[1].lower() in AUDIO_SUFFIXES
                if is_audio and (taken or included(path)):
                    # a tar says when each member was written; what does not changes as a whole
                    mark = member.place if member.mtime_ns else f"{member.place} of {whole}"
                    place = member_uri(uri, member)
                    time_ns = member.mtime_ns or mtime_ns
                    yield Row(self.source.name, self.rank, path, place, member.size, time_ns, mark)
        except ArchiveError as error:
            self._broken.add(str(error))
            yield Row(self.source.name, self.rank, relative, uri, size, mtime_ns, etag)

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
