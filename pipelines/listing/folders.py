"""Walk a folder: its files by path, links to folders inside it followed, everything that was left out counted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...schemas.errors import StorageError
from ..sources.looking import LeftOut

LINKS_DEEP = 4
"""Links to folders that may lie behind each other: folders that link to one another have paths without end."""


@dataclass
class Walk:
    """Iterate it for everything but folders, in the order of names, with the path below `root`.

    A link to a folder inside `root` is followed: its files have their path through the link, too. Iterating raises
    `StorageError` for a folder that cannot be listed: its files must not look as if they were gone.
    """

    root: Path
    outside: LeftOut = field(default_factory=LeftOut)
    """Links to folders that lead out of `root`."""
    circular: LeftOut = field(default_factory=LeftOut)
    """Links to a folder that holds them, or behind too many others."""
    dangling: LeftOut = field(default_factory=LeftOut)
    """Links that lead nowhere, to a file or a folder: a disk that is not mounted looks like that."""

    def __iter__(self) -> Iterator[tuple[os.DirEntry[str], str]]:
        self._real = os.path.realpath(self.root)
        yield from self._below(str(self.root), "", (self._real,), 0)

    def notices(self, source: str) -> Iterator[str]:
        """A line per kind of thing that was left out, with an example."""
        for found, what in (
            (self.outside, f"links lead out of {self.root} to folders and were not followed; name those as sources"),
            (self.circular, f"links lead to a folder that holds them, or lie behind {LINKS_DEEP} others"),
            (self.dangling, "links lead nowhere; what they named counts as gone"),
        ):
            if found.count:
                yield f"source {source!r}: {found.count} {what}, for example {found.example}"

    def _below(
        self, folder: str, below: str, above: tuple[str, ...], links: int
    ) -> Iterator[tuple[os.DirEntry[str], str]]:
        try:
            with os.scandir(folder) as entries:
                held = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            # gone since its parent was read
            return
        except OSError as error:
            raise StorageError(
                f"{folder}: the folder cannot be listed ({error.strerror}); nothing was done, because its files would "
                "look as if they were gone. Repair the permissions or the mount, or narrow the source's `include`."
            ) from error
        folders = []
        for entry in held:
            # unlike the entry's own, not raised for a link to itself
            if entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(entry.path)):
                folders.append(entry)
            elif entry.is_symlink() and not entry.name.startswith(".") and not os.path.exists(entry.path):
                self.dangling.add(_shown(entry, below))
            else:
                yield entry, f"{below}{entry.name}"
        for entry in folders:
            path = f"{below}{entry.name}"
            if not entry.is_symlink():
                yield from self._below(entry.path, f"{path}/", (*above, os.path.join(above[-1], entry.name)), links)
                continue
            real = os.path.realpath(entry.path)
            example = _shown(entry, below)
            if not Path(real).is_relative_to(self._real):
                self.outside.add(example)
            elif links == LINKS_DEEP or any(Path(held).is_relative_to(real) for held in above):
                self.circular.add(example)
            else:
                yield from self._below(entry.path, f"{path}/", (*above, real), links + 1)


def _shown(link: os.DirEntry[str], below: str) -> str:
    text = f"{below}{link.name} -> {os.readlink(link.path)}"
    return text.encode(errors="backslashreplace").decode()
