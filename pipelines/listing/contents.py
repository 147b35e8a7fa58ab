"""The recordings in an archive, listed here or by processes of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...schemas.keys import digest
from ..archives.member import End, Member
from ..archives.packed import listed
from ..audio.decode import AUDIO_SUFFIXES
from ..sources.looking import LeftOut
from ..work import own_process
from ..work.hang import Step

AT_ONCE = 1024
"""Archives that are handed to processes at once: what is found in them is held until all before it was taken."""


class Wanted(NamedTuple):
    """An archive to list."""

    uri: str
    size: int
    mtime_ns: int
    etag: str | None
    since: End | None = None
    """Where it ended when it was listed last, if it grew since."""

    @property
    def key(self) -> str:
        """Names it and the state that it is in."""
        since = () if self.since is None else (str(self.since.offset), self.since.tail_sha256)
        return digest("archive/1", self.uri, str(self.size), str(self.mtime_ns), self.etag or "", *since)


@dataclass
class Contents:
    """What was found in an archive."""

    recordings: list[Member] = field(default_factory=list)
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    """Members that are not taken, by why."""
    broken: str | None = None
    """Why it could not be read to its end."""
    end: End | None = None
    continued: bool = False
    """Whether it holds only what is behind `Wanted.since`."""


Lister = Callable[[Sequence[Wanted]], Iterator[tuple[int, Contents]]]
"""Lists archives: the place of each among those wanted, with what it holds, in any order."""


def contents(wanted: Wanted) -> Contents:
    """List one archive. Raises `StorageError` where its store does not answer."""
    found = listed(wanted.uri, wanted.since)
    recordings = [
        each for each in found.members if each.is_audio or os.path.splitext(each.name)[1].lower() in AUDIO_SUFFIXES
    ]
    left_out = {why: LeftOut(count, first) for why, (count, first) in found.unusable.items()}
    return Contents(recordings, left_out, found.broken, found.end, found.continued)


def here(wanted: Sequence[Wanted]) -> Iterator[tuple[int, Contents]]:
    """One archive after the other, in this process."""
    return ((place, contents(each)) for place, each in enumerate(wanted))


def here_first(wanted: Sequence[Wanted], others: Lister) -> Iterator[tuple[int, Contents]]:
    """Some in this process; where many are left then, by `others`."""

    def here(numbered: tuple[int, Wanted]) -> tuple[int, Contents]:
        return numbered[0], contents(numbered[1])

    def elsewhere(rest: Sequence[tuple[int, Wanted]]) -> Iterator[tuple[int, Contents]]:
        return ((rest[at][0], found) for at, found in others([each for _, each in rest]))

    return own_process.here_first(here, list(enumerate(wanted)), elsewhere)


def by_processes(wanted: Sequence[Wanted]) -> Iterator[tuple[int, Contents]]:
    """In processes of this machine, a core each; an archive that ends its process is broken."""
    for start in range(0, len(wanted), AT_ONCE):
        yield from enumerate(own_process.run_each(contents, wanted[start : start + AT_ONCE], ended), start)


def ended(wanted: Wanted, code: int | None, _: Step | None = None) -> Contents:
    """What is known of an archive whose listing ended its process."""
    return Contents(broken=f"{wanted.uri}: its listing ended the process with code {code}")
