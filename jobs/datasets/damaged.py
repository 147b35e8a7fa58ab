"""Recordings of a version that decode and are not whole."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from dataclasses import dataclass

import pyarrow.compute as pc

from ...loaders.reading.version import Version
from ...loaders.storage.parts import read_columns


@dataclass(frozen=True)
class Damaged:
    """How many there are, and what is wrong with the first of them."""

    total: int
    examples: list[tuple[str, str]]
    """Path and message, by path."""


def damaged(version: Version, most: int) -> Damaged:
    """The decoded recordings with a message. most: examples at most. Raises `IntegrityError` for a damaged table."""
    total = 0
    found: list[tuple[str, str]] = []
    for file in version.recording_files():
        table = read_columns(file, ["status", "message", "aliases"])
        table = table.filter(pc.and_(pc.equal(table["status"], "decoded"), pc.is_valid(table["message"])))
        total += table.num_rows
        rows = table.to_pylist()
        found = sorted([*found, *((row["aliases"][0]["path"], row["message"]) for row in rows)])[:most]
    return Damaged(total, found)
