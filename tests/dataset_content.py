"""A dataset in the terms of a model: what each version says of its clips, and which clips are on the disk at all."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from auricle.loaders import open_version


@dataclass(frozen=True)
class Row:
    """What the model says of a clip."""

    path: str
    speaker: str
    text: str
    kept: bool
    latents: frozenset[str]


Content = dict[str, Row]


@dataclass
class File:
    """A file in the first source."""

    recording: str
    keys: tuple[str, str]
    """Of the clip when it is cut whole, and when its span is cut."""
    levels_db: tuple[float, float]
    speaker: str
    text: str


def content(dataset: str, number: int) -> Content:
    """A version in the model's terms."""
    version = open_version(dataset, number)
    names = sorted(version.document.representations)
    return {
        row["clip"]: Row(
            row["path"],
            row["speaker"],
            row["transcript"],
            row["status"] == "kept",
            frozenset(n for n in names if row["status"] == "kept" and row[n] and row[n]["shard"]),
        )
        for row in (version.clips().to_pylist() if version.document.clips else [])
    }


def keys_on_disk(root: Path) -> Iterator[str]:
    """Clips that a part of the table or a shard holds, listed by a version or not."""
    for part in (root / "objects/clips").glob("*.parquet"):
        yield from pq.read_table(part, columns=["clip"])["clip"].to_pylist()
    for shard in (root / "shards").rglob("*.tar"):
        with tarfile.open(fileobj=io.BytesIO(shard.read_bytes())) as tar:
            yield from (name.partition(".")[0] for name in tar.getnames())
