"""What is done to files and to runs: a flipped bit, a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def flip(path: Path, place: float = 0.5) -> None:
    """One bit of a file, `place` of the way through it."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)


def killed(*_: Any) -> None:
    """In place of a stage: the process dies there."""
    raise RuntimeError("killed")
