"""The bytes of an archive at random, from a disk or an object store."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO, cast

from ...loaders.storage.store import Store, located
from .member import ArchiveError

BUFFER_BYTES = 1 << 20
"""Read ahead in an object store: a tar of short clips has many headers in it."""


class _Ranges(io.RawIOBase):
    """An object, read by ranges."""

    def __init__(self, store: Store, name: str, size: int) -> None:
        self._store, self._name, self._size, self._at = store, name, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer) -> int:
        wanted = min(len(buffer), max(0, self._size - self._at))
        if not wanted:
            return 0
        (data,) = self._store.get_ranges(self._name, [self._at], [wanted])
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class _Bounded(io.BufferedReader):
    """A file that never makes room for more bytes than it has: what a damaged archive asks for may be terabytes."""

    def __init__(self, raw: io.RawIOBase, size: int, buffer: int) -> None:
        super().__init__(raw, buffer)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def open_bytes(uri: str) -> BinaryIO:
    """A seekable file of an archive. Raises `ArchiveError` when there is none."""
    if "://" not in uri:
        try:
            file = io.FileIO(uri)
            return cast("BinaryIO", _Bounded(file, os.fstat(file.fileno()).st_size, io.DEFAULT_BUFFER_SIZE))
        except OSError as error:
            raise ArchiveError(f"{uri}: {error.strerror}") from error
    store, name = located(uri)
    size = store.size(name)
    if size is None:
        raise ArchiveError(f"{uri}: the object is gone")
    return cast("BinaryIO", _Bounded(_Ranges(store, name, size), size, BUFFER_BYTES))


def is_archive(uri: str) -> bool:
    """Whether there is a file of that name, not a folder."""
    if "://" not in uri:
        return Path(uri).is_file()
    store, name = located(uri)
    return store.exists(name)
