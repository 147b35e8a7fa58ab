"""The audio of a clip, read again from its source: for listening, reports and checks."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...loaders.reading.version import Version
from ...schemas.errors import ClipError
from ...schemas.sources import file_uri, source_paths
from .clip_reader import read_clips


def clip_audio(version: Version, clip: Mapping[str, Any]) -> tuple[np.ndarray, int]:
    """`[T]` float32 and the sample rate of a row of the clip table.

    Raises `ClipError` when the source is gone or holds other bytes than when it was ingested.
    """
    item = {
        "key": clip["clip"],
        "recording": clip["recording"],
        "uri": source_uri(version, clip["source"], clip["path"]),
        "channel": clip["channel"],
        "start": clip["start"],
        "end": clip["end"],
    }
    found = next(read_clips([item]))[1]
    if isinstance(found, ClipError):
        raise found
    return found.waveform, found.sample_rate


def source_uri(version: Version, source: str, path: str) -> str:
    """Where a recording of the version came from."""
    root = source_paths(version.document.config).get(source)
    return path if root is None else file_uri(root, path)


def wav_bytes(waveform: np.ndarray, sample_rate: int) -> bytes:
    """A 16-bit WAV of `[T]` float32, clipped to full scale."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(waveform, -1.0, 1.0), sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
