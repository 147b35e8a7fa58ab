"""Members of a tar: walked by their headers, read by their ranges."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from .member import ArchiveError, Member, Unusable, safe_name

PIECE_BYTES = 1 << 20


class Tar:
    """An open tar; a place is `<first byte>+<bytes>`."""

    def __init__(self, file: BinaryIO, archive: str) -> None:
        self._file, self.archive = file, archive

    def members(self) -> Iterator[Member | Unusable]:
        """Everything that is no folder, in order. Raises `ArchiveError` where the tar is damaged or cut off."""
        size = self._file.seek(0, io.SEEK_END)
        self._file.seek(0)
        count, name = 0, ""
        try:
            with tarfile.open(fileobj=self._file, mode="r:", errors="surrogateescape") as tar:
                while (item := tar.next()) is not None:
                    # the library keeps every header that it has seen
                    tar.members = []
                    count, name = count + 1, item.name
                    if item.offset_data + item.size > size:
                        raise ArchiveError(f"{self.archive}: cut off in its member {count}, {shown(name)}")
                    if not item.isdir():
                        yield _member(item)
        except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as error:
            after = f", after {shown(name)}" if name else ""
            raise ArchiveError(f"{self.archive}: damaged{after}: {error}") from error

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
