"""Writes small valid datasets without Ray, audio or the pipeline: plain Python that knows the format on disk."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from auricle.loaders.reading.version import numbers, open_version
from auricle.loaders.storage.store import Store
from auricle.schemas.keys import clip_key, group_key
from auricle.schemas.representation import RepresentationSpec
from auricle.schemas.score import ScoreColumn
from auricle.schemas.tables import RECORDINGS, clip_schema
from auricle.schemas.version import Counts, CuratorEntry, Object, RepresentationEntry, Shard, VersionDocument

SAMPLE_RATE = 16_000
CODES = RepresentationSpec(
    name="toy-codes-50hz", codec="toy", kind="codes", frame_rate=50, sample_rate=SAMPLE_RATE, frame_size=320, rows=4,
    cardinality=64, dtype="uint16", fingerprint="c" * 32,
)  # fmt: skip
LATENTS = RepresentationSpec(
    name="toy-latents-12.5hz", codec="toy", kind="latents", frame_rate=12.5, sample_rate=SAMPLE_RATE, frame_size=1280,
    rows=8, dtype="float32", fingerprint="d" * 32,
)  # fmt: skip
SNR = (
    ScoreColumn("snr_db", "float32", "dB", "speech over noise"),
    ScoreColumn("snr_method", "string", "text", "how it was measured"),
)
TRUST = (ScoreColumn("transcript_trust", "float32", "1", "agreement of transcript and audio"),)
CURATORS = {"snr": SNR, "trust": TRUST}
INPUTS = {"snr": [], "trust": ["transcript"]}


@dataclass(frozen=True)
class Recording:
    """A made-up file with one clip; equal names have equal bytes."""

    name: str
    text: str | None = "hello there"
    language: str | None = "en"
    speaker: str | None = "ann"
    source: str = "voices"
    status: str = "kept"
    reasons: tuple[str, ...] = ()
    tier: str | None = "gold"
    snr_db: float | None = 20.0
    trust: float | None = 0.9
    num_samples: int = SAMPLE_RATE
    path: str = ""
    """Default: `<name>.wav`."""
    decodes: bool = True
    aliases: int = 0
    """Further paths with the same bytes."""
    pcm: str = ""
    """What the samples hash to; default: from the name."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(f"bytes of {self.name}".encode()).hexdigest()

    @property
    def pcm_sha256(self) -> str:
        return self.pcm or hashlib.sha256(f"samples of {self.name}".encode()).hexdigest()

    @property
    def key(self) -> str:
        return clip_key(self.sha256, 0, 0, self.num_samples)

    @property
    def file(self) -> str:
        return self.path or f"{self.name}.wav"

    def but(self, **changes: Any) -> Recording:
        """The same with some fields changed."""
        return replace(self, **changes)


@dataclass
class _Published:
    pointers: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    part_of: dict[str, int] = field(default_factory=dict)
    introduced: dict[str, int] = field(default_factory=dict)
    shards: dict[str, list[Shard]] = field(default_factory=dict)


def payload(recording: Recording, spec: RepresentationSpec) -> np.ndarray:
    """The array that a recording's clip has in a representation: a function of both names."""
    seed = int.from_bytes(hashlib.sha256(f"{recording.key}{spec.name}".encode()).digest()[:8], "little")
    generator = np.random.default_rng(seed)
    shape = (spec.rows, -(-recording.num_samples // spec.frame_size))
    if spec.cardinality is not None:
        return generator.integers(0, spec.cardinality, shape, dtype=np.uint16)
    return generator.standard_normal(shape, dtype=np.float32)


def write_version(
    store: Store | str,
    recordings: Sequence[Recording],
    *,
    representations: Sequence[RepresentationSpec] = (CODES, LATENTS),
    per_shard: int = 4,
    curators: Sequence[str] = ("snr", "trust"),
    config: dict[str, Any] | None = None,
) -> VersionDocument:
    """Publish the next version, holding exactly these recordings; latents and parts of the parent are taken over.

    Every shard that holds a live sample stays; a clip's row stays in the part that introduced it.
    """
    store = Store(store, create=True) if isinstance(store, str) else store
    parent = open_version(store) if numbers(store) else None
    number = parent.document.number + 1 if parent else 1
    old = _published(parent)
    clips = [r for r in recordings if r.decodes]
    entries = {}
    pointers = dict(old.pointers)
    for spec in representations:
        lacking = [r for r in clips if r.status == "kept" and (r.key, spec.name) not in pointers]
        fresh = []
        for at in range(0, len(lacking), per_shard):
            shard, found = _write_shard(store, spec, lacking[at : at + per_shard])
            fresh.append(shard)
            pointers |= found
        live = Counter(pointers[r.key, spec.name]["shard"] for r in clips if r.status == "kept")
        kept = [s for s in [*old.shards.get(spec.name, []), *fresh] if live[s.sha256]]
        known = {s.sha256 for s in kept}
        pointers = {at: p for at, p in pointers.items() if at[1] != spec.name or p["shard"] in known}
        shards = [s.model_copy(update={"live": live[s.sha256]}) for s in kept]
        entries[spec.name] = RepresentationEntry(spec=spec, shards=shards, live=live.total())
    names = [spec.name for spec in representations]
    schema = clip_schema({name: CURATORS[name] for name in curators}, names)
    by_part: dict[int, list[dict[str, Any]]] = {}
    for r in clips:
        row = _clip_row(r, old.introduced.get(r.key, number), pointers, names, curators)
        by_part.setdefault(old.part_of.get(r.key, number + 1_000_000), []).append(row)
    parts = [
        _write_part(store, "clips", pa.Table.from_pylist(sorted(rows, key=_position), schema=schema))
        for _, rows in sorted(by_part.items())
    ]
    files = sorted((_recording_row(r) for r in recordings), key=lambda row: row["recording"])
    table = pa.Table.from_pylist(files, schema=RECORDINGS)
    document = VersionDocument(
        number=number,
        parent=parent.document.number if parent else None,
        parent_sha256=parent.sha256 if parent else None,
        created=f"2026-01-{number:02d}T00:00:00+00:00",
        code={"auricle": "0.1.0"},
        config={"sources": [{"name": "voices", "path": "/corpus/voices"}], "shard_bytes": 1 << 20} | (config or {}),
        inputs=f"inputs of {number}",
        curators={
            name: CuratorEntry(
                fingerprint=f"{name}-1", version=1, inputs=INPUTS[name],
                columns=[{"name": c.name, "dtype": c.dtype, "unit": c.unit} for c in CURATORS[name]],
            )
            for name in curators
        },
        representations=entries,
        clips=parts,
        recordings=[_write_part(store, "recordings", table)] if files else [],
        **_ledger(recordings),
    )  # fmt: skip
    assert store.put_new(f"versions/{number:06d}.json", document.to_json())
    return document


def voices(count: int, prefix: str = "v", **fields: Any) -> list[Recording]:
    """`count` recordings of different lengths."""
    return [
        Recording(f"{prefix}{i}", text=f"sentence {prefix} {i}", num_samples=SAMPLE_RATE + 640 * i, **fields)
        for i in range(count)
    ]


def _write_shard(
    store: Store, spec: RepresentationSpec, recordings: Iterable[Recording]
) -> tuple[Shard, dict[tuple[str, str], dict[str, Any]]]:
    buffer = io.BytesIO()
    found: dict[tuple[str, str], dict[str, Any]] = {}
    headers = {"AURICLE.schema": "auricle.shard/1", "AURICLE.representation": spec.name}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        for r in recordings:
            array = payload(r, spec)
            npy = io.BytesIO()
            np.save(npy, array, allow_pickle=False)
            data = npy.getvalue()
            found[r.key, spec.name] = {
                "fingerprint": spec.fingerprint, "offset": buffer.tell() + 512, "nbytes": len(data),
                "num_frames": array.shape[1], "crc32": zlib.crc32(data), "error": None,
            }  # fmt: skip
            facts = {
                "schema": "auricle.sample/1", "clip": r.key, "recording": r.sha256, "channel": 0, "start": 0,
                "end": r.num_samples, "sample_rate": SAMPLE_RATE, "representation": spec.name,
                "fingerprint": spec.fingerprint, "frame_rate": spec.frame_rate, "num_frames": array.shape[1],
            }  # fmt: skip
            text = json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()
            for name, content in ((f"{r.key}.npy", data), (f"{r.key}.json", text)):
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(content), 0o644
                tar.addfile(info, io.BytesIO(content))
    data = buffer.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    store.put_new(f"shards/{spec.name}/{sha256}.tar", data)
    for pointer in found.values():
        pointer["shard"] = sha256
    return Shard(sha256=sha256, num_bytes=len(data), rows=len(found), live=len(found)), found


def _clip_row(
    r: Recording,
    introduced: int,
    pointers: dict[tuple[str, str], dict[str, Any]],
    names: Sequence[str],
    curators: Sequence[str],
) -> dict[str, Any]:
    text_sha256 = hashlib.sha256(r.text.encode()).hexdigest() if r.text is not None else None
    scores = {
        "snr": {"fingerprint": "snr-1", "inputs": "", "snr_db": r.snr_db, "snr_method": "gated"},
        "trust": {"fingerprint": "trust-1", "inputs": text_sha256 or "", "transcript_trust": r.trust},
    }
    return {
        "clip": r.key, "clip_hash64": int(r.key[:15], 16), "group": group_key(r.sha256, 0, r.num_samples),
        "recording": r.sha256, "source": r.source, "path": r.file, "channel": 0, "num_channels": 1,
        "sample_rate": SAMPLE_RATE, "start": 0, "end": r.num_samples, "duration_s": r.num_samples / SAMPLE_RATE,
        "pcm_sha256": r.pcm_sha256, "transcript": r.text, "transcript_sha256": text_sha256,
        "label_source": f"{r.source}/{r.file}" if r.text is not None else None, "label_conflict": False,
        "language": r.language, "speaker": r.speaker, "status": r.status, "reasons": list(r.reasons),
        "message": None, "tier": r.tier if r.status == "kept" else None, "duplicate_of": None,
        "introduced": introduced, **{name: scores[name] for name in curators},
        **{name: pointers.get((r.key, name)) for name in names},
    }  # fmt: skip


def _recording_row(r: Recording) -> dict[str, Any]:
    paths = [r.file, *(f"again{i}/{r.file}" for i in range(r.aliases))]
    return {
        "recording": r.sha256, "size": 44 + 2 * r.num_samples, "format": "WAV PCM_16" if r.decodes else None,
        "aliases": [{"source": r.source, "path": p, "size": 44 + 2 * r.num_samples, "mtime_ns": 1} for p in paths],
        "sample_rate": SAMPLE_RATE if r.decodes else None, "num_channels": 1 if r.decodes else None,
        "num_samples": r.num_samples if r.decodes else None, "segmentation": "whole",
        "status": "decoded" if r.decodes else "failed", "reason": None if r.decodes else "corrupt",
        "message": None if r.decodes else f"{r.file}: no audio",
    }  # fmt: skip


def _ledger(recordings: Sequence[Recording]) -> dict[str, Any]:
    clips = [r for r in recordings if r.decodes]
    status = Counter(r.status for r in clips)
    seconds = Counter[str]()
    for r in clips:
        seconds[r.status] += r.num_samples / SAMPLE_RATE  # pyright: ignore[reportArgumentType]
    hours = {name: round(seconds[name] / 3600, 6) for name in ("kept", "dropped", "failed")}
    aliases = sum(r.aliases for r in recordings)
    return {
        "counts": Counts(
            files=len(recordings) + aliases, decoded=len(clips), aliases=aliases,
            failed_files=len(recordings) - len(clips), clips=len(clips), kept=status["kept"],
            dropped=status["dropped"], failed=status["failed"],
        ),
        "hours": {"clips": round(sum(hours.values()), 6), **hours},
        "dropped_by_reason": dict(Counter(w for r in clips if r.status == "dropped" for w in r.reasons)),
        "failed_by_reason": dict(
            Counter(r.reasons[0] for r in clips if r.status == "failed")
            + Counter("corrupt" for r in recordings if not r.decodes)
        ),
        "kept_by_tier": dict(Counter(r.tier for r in clips if r.status == "kept" and r.tier)),
    }  # fmt: skip


def _published(parent: Any) -> _Published:
    old = _Published()
    if parent is None:
        return old
    for i, file in enumerate(parent.files()):
        for row in pq.read_table(file).to_pylist():
            old.part_of[row["clip"]], old.introduced[row["clip"]] = i, row["introduced"]
            for name in parent.document.representations:
                if row.get(name):
                    old.pointers[row["clip"], name] = row[name]
    old.shards = {name: list(entry.shards) for name, entry in parent.document.representations.items()}
    return old


def _write_part(store: Store, kind: str, table: pa.Table) -> Object:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=1 << 16)
    data = buffer.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    store.put_new(f"objects/{kind}/{sha256}.parquet", data)
    return Object(sha256=sha256, num_bytes=len(data), rows=table.num_rows)


def _position(row: dict[str, Any]) -> tuple[str, int, int, str]:
    return row["path"], row["start"], row["channel"], row["clip"]
