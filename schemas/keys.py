"""Content keys: names that say everything a result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def canonical_json(value: Any) -> bytes:
    """`value` as JSON with sorted keys and no spaces: equal values, equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(*parts: str | int | bytes) -> str:
    """32 hex digits over `parts`, each length-prefixed so that ("ab", "c") and ("a", "bc") differ."""
    h = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        h.update(len(data).to_bytes(8, "little"))
        h.update(data)
    return h.hexdigest()[:32]


def fingerprint(name: str, version: int, parameters: Mapping[str, Any], weights: str = "") -> str:
    """32 hex digits that name one way of computing something: code version, parameters, weights SHA-256."""
    return digest(name, version, canonical_json(parameters), weights)


def sha256_bytes(data: bytes | memoryview) -> str:
    """64 hex digits of the SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """64 hex digits of the SHA-256 of the file's bytes, read in blocks."""
    with path.open("rb") as file:
        h = hashlib.sha256()
        while block := file.read(1 << 20):
            h.update(block)
        return h.hexdigest()


def clip_key(recording: str, channel: int, start: int, end: int) -> str:
    """Key of samples [start, end) of one channel of the recording whose bytes hash to `recording`."""
    return digest("clip", recording, channel, start, end)


def group_key(recording: str, start: int, end: int) -> str:
    """Key shared by the clips of one recording with the same span (the channels of a stereo file)."""
    return digest("group", recording, start, end)


class PcmHash:
    """SHA-256 of decoded audio, fed block by block: equal samples at an equal rate, whatever the container."""

    def __init__(self, sample_rate: int) -> None:
        self._hash = hashlib.sha256(f"pcm:{sample_rate}:".encode())

    def update(self, waveform: np.ndarray) -> None:
        """Add `[T]` float32 samples."""
        # adding 0.0 turns -0.0 into 0.0, which compare equal but differ in bytes
        self._hash.update(np.ascontiguousarray(waveform + np.float32(0.0), "<f4").data)

    def hexdigest(self) -> str:
        """64 hex digits over all samples so far."""
        return self._hash.hexdigest()


def pcm_sha256(waveform: np.ndarray, sample_rate: int) -> str:
    """`PcmHash` of one `[T]` float32 array."""
    h = PcmHash(sample_rate)
    h.update(waveform)
    return h.hexdigest()
