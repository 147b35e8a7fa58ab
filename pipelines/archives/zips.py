"""Members of a zip: listed by its directory, unpacked one by one."""

from __future__ import annotations

import calendar
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from .member import ArchiveError, Member, Unusable, safe_name

LARGEST_BYTES = 1 << 34
"""Of a member: ten hours of stereo at 48 kHz. What says that it is larger is not unpacked."""
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
PIECE_BYTES = 1 << 20
ENCRYPTED = 1


class Zip:
    """An open zip; a place is where the member's header begins."""

    def __init__(self, file: BinaryIO, archive: str) -> None:
        """Raises `ArchiveError` when its directory is damaged or cut off."""
        self.archive = archive
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise ArchiveError(f"{archive}: {error}") from error
        self._by_place: dict[str, zipfile.ZipInfo] = {}

    def members(self) -> Iterator[Member | Unusable]:
        """Everything that is no folder, in the order of the directory."""
        return (_member(item) for item in self._zip.infolist() if not item.is_dir())

    def read(self, place: str) -> Iterator[bytes]:
        """The unpacked bytes of a member, in pieces. Raises `ArchiveError` when it is gone or damaged."""
        if not self._by_place:
            self._by_place = {str(item.header_offset): item for item in self._zip.infolist()}
        try:
            with self._zip.open(self._by_place[place]) as member:
                # what unpacks to more than its entry says is cut there, and its checksum is wrong
                while piece := member.read(PIECE_BYTES):
                    yield piece
        except KeyError as error:
            raise ArchiveError(f"{self.archive}: it has no member at byte {place} any more") from error
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError) as error:
            raise ArchiveError(f"{self.archive}: {error}") from error


def _member(item: zipfile.ZipInfo) -> Member | Unusable:
    name = safe_name(item.filename)
    kind = stat.S_IFMT(item.external_attr >> 16)
    if name is None:
        return Unusable("has a name that leads out of the archive or is not UTF-8", item.filename)
    if item.flag_bits & ENCRYPTED:
        return Unusable("is encrypted", item.filename)
    if kind not in (0, stat.S_IFREG):
        return Unusable("is a link, a device or sparse", item.filename)
    if item.compress_type not in METHODS:
        return Unusable(f"is compressed by an unknown method ({item.compress_type})", item.filename)
    if item.file_size > LARGEST_BYTES:
        return Unusable(f"would unpack to more than {LARGEST_BYTES >> 30} GiB", item.filename)
    try:
        mtime_ns = calendar.timegm((*item.date_time, 0, 0, 0)) * 1_000_000_000
    except (ValueError, OverflowError):
        mtime_ns = 0
    return Member(name, item.file_size, mtime_ns, str(item.header_offset))
