"""The audio of one clip, read from its source for the explorer, and served in ranges."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ...schemas.counted import counted
from ...schemas.keys import sha256_file
from ...schemas.sources import file_uri, is_list, source_paths

MAX_SECONDS = 600.0
COMPRESSED = ("MP3", "MPEG", "OGG")
ReadAudio = Callable[[Path, int, int, int], tuple[np.ndarray, int]]
"""(file, channel, start, end) to (`[T]` float32, sample rate); raises `SoundError`."""


class SoundError(Exception):
    """The clip cannot be heard; the message says why."""


def read_span(path: Path, channel: int, start: int, end: int) -> tuple[np.ndarray, int]:
    """Samples [start, end) of one channel, `[T]` float32, and the sample rate; whatever libsndfile reads."""
    try:
        with soundfile.SoundFile(str(path)) as file:
            if channel >= file.channels or end > file.frames:
                raise SoundError(f"{path.name} has {counted(file.channels, 'channel')} of {file.frames} samples")
            if file.format in COMPRESSED:  # a seek may land beside the sample asked for
                block = file.read(end, dtype="float32", always_2d=True)[start:]
            else:
                file.seek(start)
                block = file.read(end - start, dtype="float32", always_2d=True)
            return np.ascontiguousarray(block[:, channel]), file.samplerate
    except soundfile.LibsndfileError as error:
        raise SoundError(f"{path.name}: {error.error_string}") from error


@dataclass(frozen=True)
class Hearing:
    """How recordings are had."""

    read: ReadAudio = read_span
    """Decodes a part of one."""
    copy: Callable[[str], AbstractContextManager[Path]] | None = None
    """Makes a copy of a member of an archive, or of what is elsewhere, for a moment; raises `SoundError`. None: these
    cannot be heard."""


class Sources:
    """Finds recordings in the folders of a configuration, and proves by their hash that they are the ones meant."""

    def __init__(self, config: Mapping[str, Any], hearing: Hearing = Hearing()) -> None:
        """config: of a version document; relative folders are taken from the working folder, as a run takes them."""
        self._folders = source_paths(config)
        self._hearing = hearing
        self._proven: dict[tuple[str, int, int], str] = {}
        self._lock = threading.Lock()

    def clip(self, row: Mapping[str, Any]) -> tuple[np.ndarray, int]:
        """`[T]` float32 and its sample rate for a row of the clip table.

        Raises `SoundError` when the recording is gone, changed, elsewhere, or longer than `MAX_SECONDS`.
        """
        start, end, rate = row["start"], row["end"], row["sample_rate"]
        if start is None or end is None or not rate:
            raise SoundError("the clip was never decoded")
        if end - start > MAX_SECONDS * rate:
            raise SoundError(f"the clip lasts {(end - start) / rate:.0f} s; at most {MAX_SECONDS:.0f} s are played")
        with self._local(str(row["source"]), str(row["path"])) as path:
            if self._hash(path) != row["recording"]:
                raise SoundError(f"{row['path']} holds other bytes than when it was scored")
            return self._hearing.read(path, row["channel"] or 0, start, end)

    @contextmanager
    def _local(self, source: str, relative: str) -> Iterator[Path]:
        folder = self._folders.get(source)
        if folder is None:
            raise SoundError(f"the configuration of this version has no source {source!r}")
        uri = file_uri(folder, relative)
        if "://" in uri:
            if self._hearing.copy is None:
                raise SoundError(f"{folder} is not on this machine; to fetch it takes the extra `curate`")
            with self._hearing.copy(uri) as copied:
                yield copied
            return
        root = Path(file_uri(folder, "")).resolve()
        path = Path(uri).resolve()
        # a list names files anywhere
        if not is_list(folder) and not path.is_relative_to(root):
            raise SoundError(f"{relative!r} leads out of its source")
        if path.is_file():
            yield path
            return
        if not any(above.is_file() for above in path.parents):
            raise SoundError(f"{relative} is not in {folder} any more; start the explorer where the run was started")
        if self._hearing.copy is None:
            raise SoundError(f"{relative} is in an archive, which takes the packages of the extra `curate` to read")
        with self._hearing.copy(str(path)) as copied:
            yield copied

    def _hash(self, path: Path) -> str:
        stat = path.stat()
        key = (str(path), stat.st_size, stat.st_mtime_ns)
        with self._lock:
            known = self._proven.get(key)
        if known is None:
            known = sha256_file(path)
            with self._lock:
                self._proven[key] = known
        return known


def wav(waveform: np.ndarray, sample_rate: int) -> bytes:
    """`[T]` float32 as a 16-bit WAV file; values beyond full scale are clipped."""
    out = io.BytesIO()
    soundfile.write(out, np.clip(waveform, -1.0, 1.0), sample_rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """[start, end) of an HTTP `Range` header with one range; None for the whole.

    Raises `ValueError` for a range outside the body (RFC 9110, section 14.1.2).
    """
    if not header or not header.startswith("bytes=") or "," in header:
        return None
    first, dash, last = header.removeprefix("bytes=").strip().partition("-")
    if not dash or not (first or last) or not (first + last).isdecimal():
        return None
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    if start >= end:
        raise ValueError(f"bytes {first}-{last} are not in a body of {size}")
    return start, end
