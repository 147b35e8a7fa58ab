"""Corpora for `ingest.py`: one set of recordings in every form in which a source may have them, and the plainest way to
read each form."""

from __future__ import annotations

import fnmatch
import gzip
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Iterator
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import soundfile
from obstore.store import S3Store

RATE = 16000
IN_ARCHIVE = 100
KINDS = ("folder", "include", "list", "tar", "zip", "parquet", "arrow", "cuts", "shar", "s3")
"""`cuts` and `shar` are lhotse's, `arrow` is what `datasets` saves."""


def sounds(data: Path, clips: int, seconds: float) -> Iterator[tuple[str, bytes]]:
    """(name, FLAC) of clips that differ from each other."""
    files = sorted(data.rglob("*.flac"), key=lambda f: (-f.stat().st_size, f))[:40]
    read = [soundfile.read(file, dtype="float32", always_2d=True) for file in files]
    speech = np.concatenate([wave[:, 0] for wave, rate in read if rate == RATE])
    length = min(int(seconds * RATE), len(speech) - 1)
    for k in range(clips):
        rng = np.random.default_rng(k)
        first = int(rng.integers(len(speech) - length))
        wave = speech[first : first + length] * rng.uniform(0.5, 0.9) + rng.normal(0, 1e-4, length)
        held = io.BytesIO()
        soundfile.write(held, wave, RATE, format="FLAC")
        yield f"{k // 40:03d}-{k:06d}.flac", held.getvalue()


def write_tars(root: Path, files: Iterator[tuple[str, bytes]], stem: str = "shard", each: int = IN_ARCHIVE) -> None:
    """Tars with so many members."""
    for number in count():
        held = islice(files, each)
        if (first := next(held, None)) is None:
            return
        with tarfile.open(root / f"{stem}.{number:06d}.tar", "w") as tar:
            for name, data in chain([first], held):
                item = tarfile.TarInfo(name)
                item.size, item.mtime = len(data), 1_700_000_000
                tar.addfile(item, io.BytesIO(data))


def cut(name: str, source: dict[str, str], seconds: float) -> str:
    """A cut as lhotse writes it, with its text."""
    stem, samples = name.removesuffix(".flac"), round(seconds * RATE)
    spoken = {"id": stem, "recording_id": stem, "start": 0, "duration": seconds, "channel": 0, "text": "some words"}
    recording = {"id": stem, "sources": [source | {"channels": [0]}], "sampling_rate": RATE, "num_samples": samples}
    whole = {"id": stem, "start": 0, "duration": seconds, "channel": 0, "type": "MonoCut"}
    return json.dumps(whole | {"supervisions": [spoken], "recording": recording | {"duration": seconds}}) + "\n"


def make(kind: str, root: Path, files: list[tuple[str, bytes]], seconds: float) -> dict[str, Any]:
    """Write a corpus of this kind; gives its source."""
    source: dict[str, Any] = {"path": str(root), "name": kind}
    table = pa.table({"audio": [{"bytes": d, "path": n} for n, d in files], "text": ["some words"] * len(files)})
    if kind in ("folder", "include", "list", "cuts"):
        for name, data in files:
            path = root / "audio" / name.replace("-", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    if kind == "include":
        source["include"] = ["audio/0*/*.flac"]
    elif kind == "list":
        source["path"] = str(root / "list.txt")
        (root / "list.txt").write_text("".join(f"audio/{name.replace('-', '/')}\n" for name, _ in files))
    elif kind == "tar":
        write_tars(root, iter(files))
    elif kind == "zip":
        for first in range(0, len(files), IN_ARCHIVE):
            with zipfile.ZipFile(root / f"{first:06d}.zip", "w") as packed:
                for name, data in files[first : first + IN_ARCHIVE]:
                    packed.writestr(name, data)
    elif kind == "parquet":
        pq.write_table(table, root / "train-00000.parquet", row_group_size=IN_ARCHIVE)
    elif kind == "arrow":
        with pyarrow.ipc.new_stream(root / "data-00000-of-00001.arrow", table.schema) as stream:
            stream.write_table(table, max_chunksize=IN_ARCHIVE)
    elif kind == "cuts":
        source["transcripts"] = "cuts.jsonl.gz"
        with gzip.open(root / "cuts.jsonl.gz", "wt") as lines:
            for name, _ in files:
                lines.write(cut(name, {"type": "file", "source": f"audio/{name.replace('-', '/')}"}, seconds))
    elif kind == "shar":
        source["transcripts"] = "cuts.*.jsonl.gz"
        write_tars(root, iter(files), "recording")
        for first in range(0, len(files), IN_ARCHIVE):
            with gzip.open(root / f"cuts.{first // IN_ARCHIVE:06d}.jsonl.gz", "wt") as lines:
                lines.writelines(cut(name, {"type": "shar", "source": ""}, seconds) for name, _ in files[first:][:100])
    elif kind == "s3":
        source["path"] = "s3://corpus/audio"
        for name, data in files:
            obstore.put(bucket(), f"audio/{name.replace('-', '/')}", data)
    return source


def bucket() -> S3Store:
    """The bucket of the server on this machine."""
    return S3Store("corpus", client_options={"allow_http": True})


def read_bare(kind: str, root: Path) -> Iterator[bytes]:
    """The bytes of each recording, in the plainest way."""
    if kind in ("folder", "include"):
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                if kind == "folder" or fnmatch.fnmatch(path, f"{root}/audio/0*/*.flac"):
                    yield Path(path).read_bytes()
    elif kind == "list":
        for line in (root / "list.txt").read_text().splitlines():
            yield (root / line).read_bytes()
    elif kind == "cuts":
        with gzip.open(root / "cuts.jsonl.gz", "rt") as lines:
            for line in lines:
                yield (root / json.loads(line)["recording"]["sources"][0]["source"]).read_bytes()
    elif kind in ("tar", "shar"):
        for cuts in sorted(root.glob("cuts.*")):
            with gzip.open(cuts, "rt") as lines:
                assert all(json.loads(line)["supervisions"][0]["text"] for line in lines)
        for path in sorted(root.glob("*.tar")):
            with tarfile.open(path) as tar:
                for item in tar:
                    yield tar.extractfile(item).read()  # pyright: ignore[reportOptionalMemberAccess]
    elif kind == "zip":
        for path in sorted(root.glob("*.zip")):
            with zipfile.ZipFile(path) as packed:
                yield from (packed.read(item) for item in packed.infolist())
    elif kind == "s3":
        store = bucket()
        for page in obstore.list(store, "audio"):
            yield from (bytes(obstore.get(store, entry["path"]).bytes()) for entry in page)
    else:
        file = next(root.iterdir())
        batches = pq.ParquetFile(file).iter_batches(16) if kind == "parquet" else pyarrow.ipc.open_stream(file)
        for batch in batches:
            yield from batch.column("audio").field("bytes").to_pylist()
