"""A short recording in memory: a member of an archive, or an object of a store, that needs no copy on a disk."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ...schemas.keys import sha256_bytes, sha256_file

MOST_BYTES = 32 << 20
"""Of a recording that is held; larger ones are copied to this machine's disk."""


@dataclass(frozen=True, slots=True)
class Held:
    """The bytes of a file, with what is used of a `Path` elsewhere: opened by either, they are the same recording."""

    name: str
    data: bytes = field(repr=False)

    def open(self, mode: str = "rb") -> BinaryIO:
        """The bytes as a file."""
        assert mode == "rb"
        return io.BytesIO(self.data)

    def exists(self) -> bool:
        """Always."""
        return True

    def is_file(self) -> bool:
        """Always."""
        return True

    def stat(self) -> os.stat_result:
        """Of which the size says something."""
        return os.stat_result((0o100644, 0, 0, 0, 0, 0, len(self.data), 0, 0, 0))


Sound = Path | Held
"""A recording on this machine."""


def sha256_of(sound: Sound) -> str:
    """64 hex digits of the SHA-256 of the recording's bytes. Raises `OSError` as reading a file does."""
    return sha256_bytes(sound.data) if isinstance(sound, Held) else sha256_file(sound)


def may_be_held(head: bytes) -> bool:
    """Whether a file that begins so is WAV, FLAC or Ogg, which libsndfile knows by their bytes alone. For others it, or
    FFmpeg, also looks at the name."""
    return head[:4] in (b"fLaC", b"OggS") or (head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE")
