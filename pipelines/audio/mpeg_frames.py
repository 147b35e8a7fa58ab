"""MPEG audio frame by frame: what of a file decoders step over without a word, and what of it is missing.

Headers as in ISO/IEC 11172-3 (2.4.1.3) and 13818-3; 2.5 is Fraunhofer's extension to lower rates.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

RATES_HZ = (44_100, 48_000, 32_000)
"""Of MPEG-1; MPEG-2 has half of them, MPEG-2.5 a quarter."""
KBPS_1 = {
    1: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
"""Kilobits a second of MPEG-1 by layer and index; index 0 is the free format, which says no length."""
KBPS_2 = {
    1: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3")
"""What may follow the last frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the four bytes of a header say."""

    stream: int
    """Version, layer and rate, which all frames of a file share."""
    num_bytes: int
    num_samples: int
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a file."""

    rate_hz: int
    num_samples: int
    """Of all whole frames with audio."""
    declared_samples: int | None
    """Of the frames that a Xing or Info header counts; None without one."""
    foreign_bytes: int
    """Between frames, or after the last one, where no tag stands."""
    foreign_at_sample: int
    """The frames before the first of them."""
    missing_bytes: int
    """Of the last frame."""


def read_frames(path: Path) -> Frames | None:
    """Walk the frames; None for what has none, or whose headers do not say how long they are. Reads the whole file."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _walk(data)


def frame_at(data: mmap.mmap | bytes, place: int) -> Frame | None:
    """The frame whose header stands at `place`; None where none does, and for the free format."""
    head = data[place : place + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = (head[1] >> 3) & 3, 4 - ((head[1] >> 1) & 3)
    bitrate, rate, padding = head[2] >> 4, (head[2] >> 2) & 3, (head[2] >> 1) & 1
    if version == 1 or layer == 4 or bitrate in (0, 15) or rate == 3:
        return None
    first = version == 3
    rate_hz = RATES_HZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits = (KBPS_1 if first else KBPS_2)[layer][bitrate] * 1000
    samples = 384 if layer == 1 else 1152 if layer == 2 or first else 576
    slot = 4 if layer == 1 else 1
    return Frame(
        stream=(version << 4) | (layer << 2) | rate,
        num_bytes=(samples // 8 // slot * bits // rate_hz + padding) * slot,
        num_samples=samples,
        rate_hz=rate_hz,
    )


def _walk(data: mmap.mmap) -> Frames | None:
    size = len(data)
    place = _first(data)
    found = frame_at(data, place) if place is not None else None
    if place is None or found is None:
        return None
    stream, rate_hz = found.stream, found.rate_hz
    declared = _declared(data, place, found)
    if declared is not None:
        # the frame with the count has no audio
        place += found.num_bytes
    known: dict[bytes, Frame] = {}
    num_samples = foreign = at = missing = 0
    while place < size:
        head = data[place : place + 4]
        frame = known.get(head)
        if frame is None and (frame := frame_at(data, place)) is not None and frame.stream == stream:
            known[head] = frame
        if frame is None or frame.stream != stream:
            following = _next(data, place + 1, stream)
            if following is None and (data[place : place + 11].startswith(TAGS) or size - place < found.num_bytes):
                break
            at = at if foreign else num_samples
            foreign += (size if following is None else following) - place
            if following is None:
                break
            place = following
            continue
        if place + frame.num_bytes > size:
            missing = place + frame.num_bytes - size
            break
        num_samples += frame.num_samples
        place += frame.num_bytes
    samples = None if declared is None else declared * found.num_samples
    return Frames(rate_hz, num_samples, samples, foreign, at, missing)


def _first(data: mmap.mmap) -> int | None:
    place = 0
    while data[place : place + 3] == b"ID3" and len(data) >= place + 10:
        tag = data[place : place + 10]
        # 28 bits in four bytes; a footer repeats the header
        length = tag[6] << 21 | tag[7] << 14 | tag[8] << 7 | tag[9]
        place += 10 + length + (10 if tag[5] & 0x10 else 0)
    return _next(data, place, None)


def _next(data: mmap.mmap, place: int, stream: int | None) -> int | None:
    """Where the next frame begins that another one follows, or the end of the file."""
    while (place := data.find(b"\xff", place)) >= 0:
        frame = frame_at(data, place)
        if frame is not None and stream in (None, frame.stream):
            end = place + frame.num_bytes
            after = frame_at(data, end)
            if end == len(data) or (after is not None and after.stream == frame.stream):
                return place
        place += 1
    return None


def _declared(data: mmap.mmap, place: int, frame: Frame) -> int | None:
    """Frames that a Xing or Info header counts, which stands after the side information of the first frame."""
    head = data[place : place + frame.num_bytes]
    for name in (b"Xing", b"Info"):
        at = head.find(name, 4, 48)
        if at >= 0 and len(head) >= at + 12 and head[at + 7] & 1:
            return int.from_bytes(head[at + 8 : at + 12], "big")
    return None
