"""Members of a tar: walked by their headers, read by their ranges; of one that grew, only those that are new."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from .member import ArchiveError, End, Member, Unusable, safe_name

PIECE_BYTES = 1 << 20
TAIL_BYTES = 1 << 16
"""Of a tar, compared to see whether it is the one that it was up to there."""


class Tar:
    """An open tar; a place is `<first byte>+<bytes>`."""

    def __init__(self, file: BinaryIO, archive: str) -> None:
        self._file, self.archive = file, archive
        self._ends: int | None = None

    def members(self, start: int = 0) -> Iterator[Member | Unusable]:
        """Everything from a byte on that is no folder, in order. Raises `ArchiveError` where the tar is damaged or cut
        off."""
        size = self._file.seek(0, io.SEEK_END)
        self._file.seek(0)
        self._ends = None
        count, name = 0, ""
        try:
            with tarfile.open(fileobj=self._file, mode="r:", errors="surrogateescape") as tar:
                if start:
                    tar.firstmember, tar.offset = None, start
                while (item := tar.next()) is not None:
                    # the library keeps every header that it has seen
                    tar.members = []
                    count, name = count + 1, item.name
                    if item.offset_data + item.size > size:
                        raise ArchiveError(f"{self.archive}: cut off in its member {count}, {shown(name)}")
                    if not item.isdir():
                        yield _member(item)
                # a global header says something of all members behind it
                self._ends = None if tar.pax_headers else tar.offset
        except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as error:
            after = f", after {shown(name)}" if name else ""
            raise ArchiveError(f"{self.archive}: damaged{after}: {error}") from error

    def end(self) -> End | None:
        """Where the members end that were walked; None where what comes behind cannot be read by itself."""
        return None if self._ends is None else End(self._ends, self._tail(self._ends))

    def goes_on(self, end: End) -> bool:
        """Whether this is the tar that ended there, and more."""
        return self._file.seek(0, io.SEEK_END) >= end.offset and self._tail(end.offset) == end.tail_sha256

    def _tail(self, offset: int) -> str:
        first = self._file.seek(max(0, offset - TAIL_BYTES))
        return hashlib.sha256(self._file.read(offset - first)).hexdigest()

    def read(self, place: str) -> Iterator[bytes]:
        """The bytes of a member, in pieces. Raises `ArchiveError` where the tar ends before it does."""
        start, _, size = place.partition("+")
        self._file.seek(int(start))
        left = int(size)
        while left:
            piece = self._file.read(min(left, PIECE_BYTES))
            if not piece:
                raise ArchiveError(f"{self.archive}: ends before byte {int(start) + int(size)}")
            left -= len(piece)
            yield piece


def _member(item: tarfile.TarInfo) -> Member | Unusable:
    name = safe_name(item.name)
    if not item.isreg() or item.issparse():
        return Unusable("is a link, a device or sparse", item.name)
    if name is None:
        return Unusable("has a name that leads out of the archive or is not UTF-8", item.name)
    return Member(name, item.size, int(item.mtime * 1e9), f"{item.offset_data}+{item.size}")


def shown(name: str) -> str:
    """A name as it may be printed."""
    return repr(name.encode(errors="replace").decode()[:80])
