"""The length that the header of a recording declares beside what the file holds: whether it was cut off, or has more.

libsndfile reads a cut WAV or AIFF as a shorter one, and of one that has more only what is declared. It says nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ...schemas.errors import ClipError
from ...schemas.tables import FailureReason
from .held import Sound
from .quiet import mpg123_quiet

HEADER_SLACK_BYTES = 64
"""Missing bytes that are forgiven: sloppy writers count the header, or the padding of an odd chunk, as data."""
PLACEHOLDER_BYTES = 0x7FFFF000
"""From this 32-bit length on, a header is a stream's that nobody could go back to: sox, ffmpeg and arecord write
different ones."""
MANY_CHUNKS = 1000
"""Chunks after which the search for the samples is given up: a long run of zeros reads as empty chunks."""
ZEROS_READ = 1 << 20
"""Bytes at once."""
WAVE, WAVE64 = (b"RIFF", b"RIFX", b"RF64", b"BW64"), b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"


def check_whole(path: Sound) -> None:
    """Raise `ClipError` (corrupt) when the header of a WAV, RF64, W64, AIFF or AU declares more than the file holds.

    Other formats pass: their decoders notice, or have no length to compare. So do headers of streams.
    """
    if found := truncated(path):
        raise ClipError(
            FailureReason.CORRUPT,
            f"{path.name}: {found}. Copy it again, or set `segment.truncated: accept` to use the audio that is there",
        )


def truncated(path: Sound) -> str | None:
    """Words for a recording whose header declares more than the file holds."""
    found = _lengths(path)
    if found is None or found[0] - found[1] <= HEADER_SLACK_BYTES:
        return None
    return f"truncated: its header declares {found[0]:,} bytes of audio, the file has only {found[1]:,}"


def uncounted(path: Sound) -> str | None:
    """Words for a WAV, RF64 or AIFF that goes on after the audio that its header declares, with what is no chunk."""
    size = path.stat().st_size
    with path.open("rb") as file:
        found, order = _data(file), _order(file)
        if found is None or order is None or not found[1]:
            return None
        end = found[0] + found[1]
        # writers forget the padding of an odd chunk
        more = min(_beyond_chunks(file, order, place, size) for place in (end, end + found[1] % 2))
        if more <= HEADER_SLACK_BYTES or _all_zeros(file, size - more):
            return None
    return f"its header declares {found[1]:,} bytes of audio, and is followed by {more:,} bytes that are not read"


def why_empty(path: Sound) -> str:
    """Words for a recording that decodes to nothing: there is nothing, or its header was never finished."""
    found = _lengths(path)
    if found is not None and found[0] == 0 and found[1] > HEADER_SLACK_BYTES:
        return (
            f"its header declares no samples, and {found[1]:,} bytes follow it: the recorder was interrupted before it "
            "wrote the length. Mend the header, for example by copying the file with ffmpeg"
        )
    return "a valid header and no samples"


def claimed_s(path: Path) -> float | None:
    """The seconds that the header of any recording claims, or that its decoder guesses; None where there are none."""
    import soundfile

    try:
        with mpg123_quiet():
            found = soundfile.info(str(path))
        return found.frames / found.samplerate
    except (soundfile.LibsndfileError, OSError):
        import av
        import av.error
        import av.logging

        av.logging.set_level(av.logging.PANIC)
        try:
            with av.open(str(path), metadata_errors="replace") as container:
                return container.duration / 1e6 if container.duration else None
        except (av.error.FFmpegError, OSError, ValueError):
            return None


def _lengths(path: Sound) -> tuple[int, int] | None:
    """Bytes of audio that the header declares, and that the file holds; None for formats without such a length."""
    size = path.stat().st_size
    with path.open("rb") as file:
        found = _data(file)
    return None if found is None else (found[1], max(size - found[0], 0))


def _order(file: BinaryIO) -> str | None:
    """Byte order of the lengths of chunks; None for formats without chunks."""
    file.seek(0)
    kind = file.read(4)
    return ">" if kind in (b"RIFX", b"FORM") else "<" if kind in WAVE else None


def _beyond_chunks(file: BinaryIO, order: str, place: int, size: int) -> int:
    """Bytes of the file after the last chunk that begins at `place` or after it."""
    for _ in range(MANY_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or not all(0x20 <= byte < 0x7F for byte in head[:4]):
            break
        (length,) = struct.unpack(order + "I", head[4:])
        if place + 8 + length > size + HEADER_SLACK_BYTES:
            break
        place += 8 + length + length % 2
    return max(size - place, 0)


def _all_zeros(file: BinaryIO, place: int) -> bool:
    """Whether only zeros follow: recorders fill their last block with them."""
    file.seek(place)
    while block := file.read(ZEROS_READ):
        if any(block):
            return False
    return True


def _data(file: BinaryIO) -> tuple[int, int] | None:
    """Where the audio starts and how many bytes are declared; None without a declared length."""
    file.seek(0)
    head = file.read(40)
    kind = head[:4]
    if kind in WAVE and head[8:12] == b"WAVE":
        order = ">" if kind == b"RIFX" else "<"
        return _riff(file, order, b"data")
    if kind == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _riff(file, ">", b"SSND")
    if kind in (b".snd", b"dns.") and len(head) >= 12:
        start, declared = struct.unpack(">II" if kind == b".snd" else "<II", head[4:12])
        return None if declared >= PLACEHOLDER_BYTES else (start, declared)
    if head[:16] == WAVE64:
        return _wave64(file)
    return None


def _riff(file: BinaryIO, order: str, wanted: bytes) -> tuple[int, int] | None:
    long_length: int | None = None
    for name, start, length in _chunks(file, order):
        if name == b"ds64":
            file.seek(start + 8)
            field = file.read(8)
            long_length = struct.unpack("<Q", field)[0] if len(field) == 8 else None
        if name == wanted:
            if length == 0xFFFFFFFF and long_length:
                return start, long_length
            return None if length >= PLACEHOLDER_BYTES else (start, length)
    return None


def _chunks(file: BinaryIO, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, start of the body and declared length of each chunk; chunks begin at even offsets."""
    place = 12
    for _ in range(MANY_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        (length,) = struct.unpack(order + "I", head[4:])
        yield head[:4], place + 8, length
        place += 8 + length + length % 2


def _wave64(file: BinaryIO) -> tuple[int, int] | None:
    """Sony Wave64: names of 16 bytes, 64-bit lengths that count their own header, chunks at multiples of 8."""
    place = 40
    for _ in range(MANY_CHUNKS):
        file.seek(place)
        head = file.read(24)
        if len(head) < 24:
            return None
        (length,) = struct.unpack("<Q", head[16:])
        if head[:4] == b"data":
            return place + 24, length - 24
        if length < 24:
            return None
        place += -(-length // 8) * 8
    return None
