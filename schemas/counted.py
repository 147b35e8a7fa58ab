"""Counts as sentences have them."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """`1 clip`, `1,234 clips`; `1 clip is`, `2 clips are`. many: the words for any other number; default `one` with an
    s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
