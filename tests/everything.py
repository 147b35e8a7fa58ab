"""Decodes every file of a dataset: what a person with the folder and an evening could read out of it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

Needle = str | bytes | np.ndarray
"""A text, bytes, or `[T]` samples of the beginning of a sound."""


@dataclass(frozen=True)
class Decoded:
    """One file."""

    path: str
    text: str
    """All text in it: columns, members, JSON, markup."""
    blobs: list[bytes]
    """All bytes in it that are no text: arrays of shards, binary columns, sounds and images of pages."""

    def holds(self, needle: Needle) -> bool:
        """Whether the text, the path, the bytes or the sound are in it."""
        if isinstance(needle, np.ndarray):
            return any(_sounds_like(blob, needle) for blob in self.blobs)
        if isinstance(needle, bytes):
            return any(needle in blob for blob in self.blobs)
        return any(form in self.text or form in self.path for form in (needle, json.dumps(needle)[1:-1]))


def everything(root: Path) -> Iterator[Decoded]:
    """Every file below `root`, whether a version lists it or not."""
    for file in sorted(p for p in root.rglob("*") if p.is_file()):
        yield Decoded(file.relative_to(root).as_posix(), *_decoded(file))


def holders(root: Path, needles: Mapping[str, Needle]) -> dict[str, set[str]]:
    """Names of needles to the files that hold them."""
    found: dict[str, set[str]] = {}
    for file in everything(root):
        for name, needle in needles.items():
            if file.holds(needle):
                found.setdefault(name, set()).add(file.path)
    return found


def _decoded(file: Path) -> tuple[str, list[bytes]]:
    data = file.read_bytes()
    blobs = [data]
    if file.suffix == ".parquet":
        table = pq.read_table(pa.BufferReader(data))
        blobs += list(_binary(table.to_pylist()))
        return json.dumps(table.to_pylist(), default=repr, ensure_ascii=False), blobs
    if file.suffix == ".tar":
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            members = {info.name: tar.extractfile(info).read() for info in tar}  # pyright: ignore[reportOptionalMemberAccess]
        blobs += [member for name, member in members.items() if name.endswith(".npy")]
        return "\n".join([*members, *(m.decode() for n, m in members.items() if not n.endswith(".npy"))]), blobs
    if file.suffix == ".gz":
        data = gzip.decompress(data)
    text = data.decode(errors="replace")
    for encoded in re.findall(r"[A-Za-z0-9+/]{64,}={0,2}", text):
        blobs.append(base64.b64decode(encoded[: len(encoded) // 4 * 4]))
    return text, blobs


def _sounds_like(blob: bytes, samples: np.ndarray) -> bool:
    """Whether the blob is an audio file that begins with the samples, up to its own rounding and loss."""
    try:
        found, _ = soundfile.read(io.BytesIO(blob), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        return False
    n = min(len(found), len(samples))
    a, b = found[:n, 0], samples[:n]
    return float(a @ b) > 0.9 * float(np.linalg.norm(a) * np.linalg.norm(b)) > 0


def _binary(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _binary(child)
