"""Exports as tars: webdataset, and lhotse Shar (which webdataset and datasets read as well)."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from typing import Any

from ...schemas.representation import RepresentationSpec
from ..storage.store import Store
from .export_rows import Exported


class _Tar:
    """A tar in memory whose bytes depend on its members only."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add(self, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        self._tar.addfile(info, io.BytesIO(data))

    def close(self) -> bytes:
        self._tar.close()
        return self._buffer.getvalue()


def webdataset(
    target: Store, batches: Iterator[list[Exported]], fields: Mapping[str, RepresentationSpec], shard_bytes: int
) -> int:
    """`data-000000.tar`: `<key>.<field>.npy` for each field, and `<key>.json` with the facts; returns the samples."""
    count = 0
    for number, samples in enumerate(_by_size(batches, shard_bytes)):
        tar = _Tar()
        for sample in samples:
            for field in fields:
                tar.add(f"{sample.key}.{field}.npy", sample.payloads[field])
            tar.add(f"{sample.key}.json", _json(sample.facts))
        target.put_new(f"data-{number:06d}.tar", tar.close())
        count += len(samples)
    return count


def shar(
    target: Store, batches: Iterator[list[Exported]], fields: Mapping[str, RepresentationSpec], shard_bytes: int
) -> int:
    """lhotse Shar: `cuts.000000.jsonl.gz` and a `<field>.000000.tar` per field with pairs of `<key>.npy` and its
    array manifest; `CutSet.from_shar(in_dir=...)` opens it, `cut.load_custom("codes")` reads. Returns the cuts.
    """
    count = 0
    for number, samples in enumerate(_by_size(batches, shard_bytes)):
        tars = {field: _Tar() for field in fields}
        lines = io.BytesIO()
        for sample in samples:
            manifests = {field: _array_manifest(sample, field, spec) for field, spec in fields.items()}
            for field, tar in tars.items():
                tar.add(f"{sample.key}.npy", sample.payloads[field])
                tar.add(f"{sample.key}.json", _json(manifests[field]))
            lines.write(_json(_cut(sample, manifests)) + b"\n")
        for field, tar in tars.items():
            target.put_new(f"{field}.{number:06d}.tar", tar.close())
        # no time in the header: equal cuts, equal bytes
        target.put_new(f"cuts.{number:06d}.jsonl.gz", gzip.compress(lines.getvalue(), mtime=0))
        count += len(samples)
    return count


def _cut(sample: Exported, manifests: Mapping[str, Any]) -> dict[str, Any]:
    facts = sample.facts
    channel = int(facts["channel"] or 0)
    segment = {
        "id": sample.key,
        "recording_id": facts["recording"],
        "start": 0,
        "duration": facts["duration_s"],
        "channel": channel,
        "text": facts["transcript"],
        "language": facts["language"],
        "speaker": facts["speaker"],
    }
    own = ("clip", "duration_s", "transcript", "language", "speaker", "channel")
    custom = {name: value for name, value in facts.items() if name not in own and value is not None}
    return {
        "id": sample.key,
        "start": 0,
        "duration": facts["duration_s"],
        "channel": channel,
        "supervisions": [{name: value for name, value in segment.items() if value is not None}],
        "custom": custom | dict(manifests),
        "type": "MonoCut",
    }


def _array_manifest(sample: Exported, field: str, spec: RepresentationSpec) -> dict[str, Any]:
    shape = list(sample.array(field).shape)
    array = {"storage_type": "shar", "storage_path": "", "storage_key": "", "shape": shape}
    return {"array": array, "temporal_dim": 1, "frame_shift": 1 / spec.frame_rate, "start": 0}


def _by_size(batches: Iterator[list[Exported]], shard_bytes: int) -> Iterator[list[Exported]]:
    held: list[Exported] = []
    size = 0
    for batch in batches:
        for sample in batch:
            held.append(sample)
            size += sum(map(len, sample.payloads.values())) + 2 * tarfile.BLOCKSIZE
            if size >= shard_bytes:
                yield held
                held, size = [], 0
    if held:
        yield held


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
