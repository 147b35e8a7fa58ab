"""Ogg page by page (RFC 3533): what of a file decoders step over without a word, and what of it is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from .held import Sound

HEAD_BYTES = 27
SEARCH_BYTES = 1 << 16
"""Read at once where the next page is looked for; no page is longer than 65,307 bytes."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a file."""

    foreign_bytes: int
    """That belong to no page."""
    lost_pages: int
    """By the numbers of those that are there."""
    cut: bool
    """Whether the last page is not all there."""


def read_pages(sound: Sound) -> Pages:
    """Walk the pages; reads their heads."""
    size = sound.stat().st_size
    foreign = lost = place = 0
    cut = False
    numbers: dict[bytes, int] = {}
    with sound.open("rb") as file:
        for start, end, serial, number in _pages(file):
            foreign += start - place
            before = numbers.get(serial)
            if before is not None:
                lost += max(number - before - 1, 0)
            numbers[serial] = number
            place = end
            cut = end > size
    return Pages(foreign + max(size - place, 0) if numbers else 0, lost, cut)


def _pages(file: BinaryIO) -> Iterator[tuple[int, int, bytes, int]]:
    """Where each page begins and would end, its stream and its number."""
    place = 0
    while True:
        file.seek(place)
        head = file.read(HEAD_BYTES)
        if head[:4] == b"OggS" and len(head) == HEAD_BYTES:
            lengths = file.read(head[26])
            end = place + HEAD_BYTES + head[26] + sum(lengths)
            yield place, end, head[14:18], int.from_bytes(head[18:22], "little")
            place = end
            continue
        file.seek(place + 1)
        block = file.read(SEARCH_BYTES)
        found = block.find(b"OggS")
        if found >= 0:
            place += 1 + found
        elif len(block) < SEARCH_BYTES:
            return
        else:
            # a name may lie across two blocks
            place += SEARCH_BYTES - 3
