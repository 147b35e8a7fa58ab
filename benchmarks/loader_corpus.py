"""The clips of `loader.py`: a published version of made-up speech, 2 to 15 s at 75 Hz, by the product's writer."""

from __future__ import annotations

import hashlib
import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from auricle.loaders.storage.layout import clips_path, recordings_path, shard_path, version_path
from auricle.loaders.storage.objects import put_object
from auricle.loaders.storage.parts import CLIP_ORDER, write_part
from auricle.loaders.storage.shards import Member, sample_facts, shard_tar
from auricle.loaders.storage.store import Store
from auricle.schemas.keys import clip_key, group_key
from auricle.schemas.representation import RepresentationSpec
from auricle.schemas.tables import RECORDINGS, clip_schema
from auricle.schemas.version import Counts, RepresentationEntry, Shard, VersionDocument

RATE, FRAME = 24_000, 320
FRAMES = (150, 1125)
"""Shortest and longest clip: 2 and 15 s at 75 Hz."""
CODEBOOKS, CARDINALITY = 8, 1024
CODES, LATENTS = "bench-codes-75hz", "bench-latents-75hz"


def specs(dimension: int) -> list[RepresentationSpec]:
    """uint16 codes of 8 codebooks, float32 latents."""
    same: dict[str, Any] = {"codec": "bench", "frame_rate": 75, "sample_rate": RATE, "frame_size": FRAME}
    codes = {"rows": CODEBOOKS, "cardinality": CARDINALITY, "dtype": "uint16", "fingerprint": "c" * 32}
    latents = {"rows": dimension, "dtype": "float32", "fingerprint": "d" * 32}
    return [
        RepresentationSpec(name=CODES, kind="codes", **same, **codes),
        RepresentationSpec(name=LATENTS, kind="latents", **same, **latents),
    ]


def write_dataset(folder: Path, count: int, dimension: int, per_shard: int) -> None:
    """Version 1 of `count` clips; equal arguments, equal bytes."""
    store = Store(str(folder), create=True)
    rng = np.random.default_rng(0)
    # log-normal as sentences are, cut at both ends
    frames = np.clip(rng.lognormal(np.log(480), 0.55, count), *FRAMES).astype(int).tolist()
    rows = [_row(i, length) for i, length in enumerate(frames)]
    entries = {}
    for spec in specs(dimension):
        shards = []
        for at in range(0, count, per_shard):
            part = rows[at : at + per_shard]
            payloads = [npy_bytes(_values(rng, spec, row["num_frames"])) for row in part]
            data, offsets = shard_tar(
                spec.name,
                [Member(r["clip"], p, sample_facts(spec, r)) for r, p in zip(part, payloads, strict=True)],
            )
            sha256 = hashlib.sha256(data).hexdigest()
            put_object(store, shard_path(spec.name, sha256), data)
            shards.append(Shard(sha256=sha256, num_bytes=len(data), rows=len(part), live=len(part)))
            for row, payload, offset in zip(part, payloads, offsets, strict=True):
                row[spec.name] = {
                    "fingerprint": spec.fingerprint, "shard": sha256, "offset": offset, "nbytes": len(payload),
                    "num_frames": row["num_frames"], "crc32": zlib.crc32(payload), "error": None,
                }  # fmt: skip
        entries[spec.name] = RepresentationEntry(spec=spec, shards=shards, live=count)
    schema = clip_schema({}, list(entries))
    clips = write_part(store, pa.Table.from_pylist(rows, schema=schema).sort_by(CLIP_ORDER), clips_path)
    files = pa.Table.from_pylist([_recording(row) for row in rows], schema=RECORDINGS)
    document = VersionDocument(
        number=1, created="2026-01-01T00:00:00+00:00", config={}, inputs="made up",
        counts=Counts(files=count, decoded=count, clips=count, kept=count), curators={}, representations=entries,
        clips=[clips], recordings=[write_part(store, files.sort_by("recording"), recordings_path)],
    )  # fmt: skip
    assert store.put_new(version_path(1), document.to_json())


def _values(rng: np.random.Generator, spec: RepresentationSpec, frames: int) -> np.ndarray:
    if spec.cardinality is not None:
        return rng.integers(0, spec.cardinality, (spec.rows, frames), dtype=np.uint16)
    return rng.standard_normal((spec.rows, frames), dtype=np.float32)


def npy_bytes(array: np.ndarray) -> bytes:
    """The array as a .npy."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _row(number: int, frames: int) -> dict[str, Any]:
    sha256 = hashlib.sha256(f"recording {number}".encode()).hexdigest()
    samples = frames * FRAME
    key = clip_key(sha256, 0, 0, samples)
    return {
        "clip": key, "clip_hash64": int(key[:15], 16), "group": group_key(sha256, 0, samples), "recording": sha256,
        "source": "made-up", "path": f"{number:06d}.wav", "channel": 0, "num_channels": 1, "sample_rate": RATE,
        "start": 0, "end": samples, "duration_s": samples / RATE, "pcm_sha256": sha256,
        "transcript": f"this is what was said in clip {number}", "language": "en", "speaker": f"s{number % 50}",
        "label_conflict": False, "status": "kept", "reasons": [], "introduced": 1, "num_frames": frames,
    }  # fmt: skip


def _recording(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "recording": row["recording"], "size": 44 + 2 * row["end"], "format": "WAV PCM_16", "aliases": [],
        "sample_rate": RATE, "num_channels": 1, "num_samples": row["end"], "segmentation": "whole",
        "status": "decoded",
    }  # fmt: skip
