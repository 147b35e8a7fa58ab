"""Makes a golden dataset of the schemas of the day from synthetic tones: `python tests/golden/make.py FOLDER`.

Run once per major schema version; the result is checked in and never made again (see README.md). No model, no Ray:
codes are the quantised energy of four bands per frame, latents the energy of eight.
"""

from __future__ import annotations

import io
import json
import sys
import zlib
from typing import Any

import numpy as np
import pyarrow as pa

from auricle.loaders.reading.tombstones import TOMBSTONES, put_tombstones
from auricle.loaders.storage.layout import (
    clips_path,
    derived_path,
    recordings_path,
    ref_path,
    shard_path,
    version_path,
)
from auricle.loaders.storage.parts import parquet_bytes, write_part
from auricle.loaders.storage.shards import Member, sample_facts, shard_tar
from auricle.loaders.storage.store import Store
from auricle.schemas.condition import Rule, Tier
from auricle.schemas.config import RepresentationConfig, RunConfig
from auricle.schemas.curriculum import CURRICULUM, CURRICULUM_SCHEMA
from auricle.schemas.keys import clip_key, group_key, pcm_sha256, sha256_bytes
from auricle.schemas.records import REF_SCHEMA
from auricle.schemas.representation import RepresentationSpec
from auricle.schemas.score import ScoreColumn
from auricle.schemas.source_config import Source
from auricle.schemas.tables import RECORDINGS, clip_schema
from auricle.schemas.version import (
    Counts,
    CuratorEntry,
    GateCheck,
    GateResult,
    RepresentationEntry,
    Shard,
    Stage,
    VersionDocument,
)

RATE = 16_000
TEXT = {"a440": "a tone at four hundred and forty", "b220": "ein Ton, zwei Höhen – 低い音", "c330": None}
CODES = RepresentationSpec(
    name="tone-codes-50hz", codec="tone", kind="codes", frame_rate=50, sample_rate=RATE, frame_size=320, rows=4,
    cardinality=64, dtype="uint16", fingerprint="c0" * 16, details={"bands": 4},
)  # fmt: skip
LATENTS = RepresentationSpec(
    name="tone-latents-12.5hz", codec="tone", kind="latents", frame_rate=12.5, sample_rate=RATE, frame_size=1280,
    rows=8, dtype="float32", fingerprint="1a" * 16, trained=False,
)  # fmt: skip
COLUMNS = (
    ScoreColumn("peak_dbfs", "float32", "dB", "largest sample"),
    ScoreColumn("clipped", "bool", "1", "whether a sample reaches full scale"),
    ScoreColumn("note", "string", "text", "name of the tone"),
)


def tone(hertz: float, num_samples: int, level: float) -> np.ndarray:
    """`[T]` float32: a sine."""
    return (level * np.sin(2 * np.pi * hertz * np.arange(num_samples) / RATE)).astype(np.float32)


def bands(waveform: np.ndarray, spec: RepresentationSpec) -> np.ndarray:
    """`[rows, frames]` energy per band and frame in dB above -60, frames without overlap."""
    frames = -(-len(waveform) // spec.frame_size)
    padded = np.zeros(frames * spec.frame_size)
    padded[: len(waveform)] = waveform
    power = np.abs(np.fft.rfft(padded.reshape(frames, -1))[:, : 16 * spec.rows]) ** 2 / spec.frame_size
    return 10 * np.log10(power.reshape(frames, spec.rows, 16).mean(axis=2).T + 1e-6) + 60


def array_of(waveform: np.ndarray, spec: RepresentationSpec) -> np.ndarray:
    """What the tone has as this representation."""
    energy = bands(waveform, spec)
    if spec.cardinality is None:
        return energy.astype(np.float32)
    return np.clip(np.round(energy), 0, spec.cardinality - 1).astype(np.uint16)


def clip(name: str, channel: int, waveform: np.ndarray, **fields: Any) -> dict[str, Any]:
    """A row of the clip table, kept unless told otherwise."""
    recording, length = sha256_bytes(name.encode()), len(waveform)
    text = TEXT.get(name)
    text_sha256 = sha256_bytes(text.encode()) if text else None
    key = clip_key(recording, channel, 0, length)
    return {
        "clip": key, "clip_hash64": int(key[:15], 16),
        "group": group_key(recording, 0, length), "recording": recording, "source": "tones", "path": f"{name}.wav",
        "channel": channel, "num_channels": 2 if name == "b220" else 1, "sample_rate": RATE, "start": 0,
        "end": length, "duration_s": length / RATE, "pcm_sha256": pcm_sha256(waveform, RATE), "transcript": text,
        "transcript_sha256": text_sha256, "label_source": f"tones/{name}.wav" if text else None,
        "label_conflict": name == "b220", "language": {"a440": "en", "b220": "de"}.get(name), "speaker": name[:1],
        "status": "kept", "reasons": [], "tier": "gold", "introduced": 1,
        "level": {
            "fingerprint": "1e" * 16, "inputs": "", "peak_dbfs": float(20 * np.log10(np.abs(waveform).max() + 1e-9)),
            "clipped": bool(np.abs(waveform).max() >= 1), "note": name,
        },
    } | fields  # fmt: skip


def recording(name: str, num_channels: int | None, num_samples: int | None, *again: str) -> dict[str, Any]:
    """A row of the recording table; without samples it failed."""
    paths = [f"{name}.wav", *again]
    return {
        "recording": sha256_bytes(name.encode()), "size": 44 + 2 * (num_samples or 0),
        "aliases": [{"source": "tones", "path": p, "size": 44, "mtime_ns": 1, "etag": None} for p in paths],
        "format": "WAV PCM_16" if num_samples else None, "sample_rate": RATE if num_samples else None,
        "num_channels": num_channels, "num_samples": num_samples, "segmentation": "5e" * 16,
        "status": "decoded" if num_samples else "failed", "reason": None if num_samples else "corrupt",
        "message": None if num_samples else f"{name}.wav: not a whole file",
    }  # fmt: skip


def main(folder: str) -> None:
    """Write the dataset into a folder that does not exist yet."""
    store = Store(folder, create=True)
    a, b, c = tone(440, 12_000, 0.5), tone(220, 9_600, 0.25), tone(330, 14_080, 0.125)
    d, e = tone(550, 8_000, 1e-4), tone(660, 6_400, 0.5)
    silent = {"fingerprint": "1e" * 16, "inputs": "", "reason": "unmeasurable: no frames"}
    waveforms = [a, b, b * np.float32(0.5), c, d, e]
    rows = [
        clip("a440", 0, a),
        clip("b220", 0, b),
        clip("b220", 1, waveforms[2], tier="silver"),
        clip("c330", 0, c, tier="silver"),
        clip("d550", 0, d, status="dropped", reasons=["quiet", "short"], tier=None),
        clip("e660", 0, e, status="failed", reasons=["extraction"], message="no frames", tier=None, level=silent),
    ]
    entries = {}
    for spec in (CODES, LATENTS):
        members, pointers = [], []
        for row, waveform in zip(rows, waveforms, strict=True):
            if row["status"] != "kept":
                continue
            npy = io.BytesIO()
            array = array_of(waveform, spec)
            np.save(npy, array, allow_pickle=False)
            facts = sample_facts(spec, row | {"num_frames": array.shape[1]})
            members.append(Member(row["clip"], npy.getvalue(), facts))
            pointers.append(
                {"fingerprint": spec.fingerprint, "nbytes": len(npy.getvalue()), "num_frames": array.shape[1],
                 "crc32": zlib.crc32(npy.getvalue())}
            )  # fmt: skip
        data, offsets = shard_tar(spec.name, members)
        sha256 = sha256_bytes(data)
        store.put_new(shard_path(spec.name, sha256), data)
        for row, pointer, offset in zip(rows[: len(members)], pointers, offsets, strict=True):
            row[spec.name] = pointer | {"shard": sha256, "offset": offset}
        shard = Shard(sha256=sha256, num_bytes=len(data), rows=len(members), live=len(members))
        failed = {"fingerprint": spec.fingerprint, "error": "extraction: no frames"}
        rows[5][spec.name] = failed
        entries[spec.name] = RepresentationEntry(spec=spec, shards=[shard], live=len(members))
    clips = pa.Table.from_pylist(rows, schema=clip_schema({"level": COLUMNS}, list(entries)))
    files = [
        recording("a440", 1, 12_000, "again/a440 copy.wav"), recording("b220", 2, 9_600), recording("c330", 1, 14_080),
        recording("d550", 1, 8_000), recording("e660", 1, 6_400), recording("f000", None, None),
    ]  # fmt: skip
    files.sort(key=lambda row: row["recording"])
    config = RunConfig(
        dataset="golden",
        sources=[Source(path="tones", name="tones")],
        keep=[Rule(score="peak_dbfs", min=-60, reason="quiet")],
        tiers=[Tier(name="gold"), Tier(name="silver")],
        representations=[RepresentationConfig(codec="tone", kind="codes")],
    )
    hours = {s: sum(r["duration_s"] for r in rows if r["status"] == s) / 3600 for s in ("kept", "dropped", "failed")}
    document = VersionDocument(
        number=1,
        created="2026-01-01T00:00:00+00:00",
        note="golden",
        code={"auricle": "0.1.0"},
        config=config.model_dump(mode="json"),
        inputs="11" * 16,
        counts=Counts(files=7, decoded=5, aliases=1, failed_files=1, clips=6, kept=4, dropped=1, failed=1),
        hours={"clips": round(sum(hours.values()), 9)} | {k: round(v, 9) for k, v in hours.items()},
        dropped_by_reason={"quiet": 1, "short": 1},
        failed_by_reason={"corrupt": 1, "extraction": 1},
        kept_by_tier={"gold": 2, "silver": 2},
        untrained=[LATENTS.name],
        curators={
            "level": CuratorEntry(
                fingerprint="1e" * 16,
                version=1,
                columns=[
                    {"name": c.name, "dtype": c.dtype, "unit": c.unit, "description": c.description} for c in COLUMNS
                ],
            )
        },
        representations=entries,
        clips=[write_part(store, clips, clips_path)],
        recordings=[write_part(store, pa.Table.from_pylist(files, schema=RECORDINGS), recordings_path)],
        gate=GateResult(verdict="passed", checks=[GateCheck(expectation="clips", severity="critical", success=True)]),
        stages=[Stage(name="score", done=6, audio_s=3.755, units=1)],
    )
    data = document.to_json()
    store.put_new(version_path(1), data)
    ref = {"schema": REF_SCHEMA, "name": "golden", "version": 1, "sha256": sha256_bytes(data),
           "created": "2026-01-01T00:00:00+00:00"}  # fmt: skip
    store.put_new(ref_path("golden"), (json.dumps(ref, indent=2) + "\n").encode())
    stages = [
        {"clip": r["clip"], "stage": i // 2, "tier": r["tier"], "difficulty": None if i == 3 else 100.0 + i,
         "quantile": None if i == 3 else i / 4, "duration_s": r["duration_s"]}
        for i, r in enumerate(rows[:4])
    ]  # fmt: skip
    store.put_derived(
        derived_path(1, "curriculum.parquet"),
        parquet_bytes(pa.Table.from_pylist(stages, schema=CURRICULUM), CURRICULUM_SCHEMA),
    )
    gone = {"recording": sha256_bytes(b"gone"), "redact": False, "pcm_sha256": sha256_bytes(b"samples of gone")}
    put_tombstones(store, pa.Table.from_pylist([gone], schema=TOMBSTONES))


if __name__ == "__main__":
    main(sys.argv[1])
