"""Pack latents into shards: immutable tars whose bytes depend only on the samples in them and their order."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ..loaders.layout import shard_path
from ..loaders.store import Store
from ..loaders.version import READ_AHEAD_BYTES
from ..schemas.keys import sha256_bytes
from ..schemas.representation import RepresentationSpec
from ..schemas.version import Shard
from .missing import known
from .state import State, literal, quoted

SHARD_SCHEMA = "auricle.shard/1"
SAMPLE_SCHEMA = "auricle.sample/1"
LIVE_SHARE_TO_KEEP = 0.7
"""A published shard with fewer live members than this is rewritten."""

PACKED = pa.schema(
    [
        pa.field("clip", pa.string()),
        pa.field("shard", pa.string()),
        pa.field("offset", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class _Member:
    key: str
    payload: bytes
    facts: dict[str, Any]


def pack(state: State, store: Store, spec: RepresentationSpec, old: Sequence[Shard], shard_bytes: int) -> list[Shard]:
    """Write the shards that a representation still lacks; returns all shards of the new version.

    Table `final_<representation>` gets every valid pointer, into kept shards or new ones. Samples are ordered by
    source, tier and position, so that a filter on them drops whole shards rather than picking crumbs from each.
    """
    valid, final = quoted(known(spec.name)), quoted(f"final_{spec.name}")
    live = dict(
        state.sql(
            f"SELECT k.shard, count(*) FROM {valid} k JOIN decided USING (clip) "
            "WHERE status = 'kept' AND k.shard IS NOT NULL GROUP BY k.shard"
        ).fetchall()
    )
    staying = [s for s in old if live.get(s.sha256, 0) > 0 and live[s.sha256] / s.rows >= LIVE_SHARE_TO_KEEP]
    stays = ", ".join(literal(s.sha256) for s in staying) or "''"
    rows = state.stream(
        f"""SELECT k.*, n.recording, n.channel, n.start, n."end", n.sample_rate
        FROM {valid} k JOIN clips_now n USING (clip) JOIN decided d USING (clip)
        WHERE d.status = 'kept' AND k.error IS NULL AND (k.shard IS NULL OR k.shard NOT IN ({stays}))
        ORDER BY n.source_rank, d.tier NULLS LAST, n.path, n.start, n.channel, n.clip"""
    )
    packed: list[pa.RecordBatch] = []
    fresh: list[Shard] = []
    for members in _by_size(_members(store, spec, rows), shard_bytes):
        data, offsets = shard_tar(spec, members)
        sha256 = sha256_bytes(data)
        store.put_new(shard_path(spec.name, sha256), data)
        fresh.append(Shard(sha256=sha256, num_bytes=len(data), rows=len(members), live=len(members)))
        keys = [m.key for m in members]
        packed.append(
            pa.RecordBatch.from_arrays(
                [pa.array(keys), pa.array([sha256] * len(keys)), pa.array(offsets)], schema=PACKED
            )
        )
    state.table("packed", pa.Table.from_batches(packed, schema=PACKED))
    # dead members of shards that stay keep their pointers: loosening a rule brings them back for nothing
    state.sql(
        f"""CREATE OR REPLACE TABLE {final} AS
        SELECT k.clip, k.fingerprint, coalesce(p.shard, k.shard) AS shard, coalesce(p."offset", k."offset") AS "offset",
            k.nbytes, k.num_frames, k.crc32, k.error
        FROM {valid} k LEFT JOIN packed p USING (clip)
        WHERE k.error IS NOT NULL OR p.shard IS NOT NULL OR k.shard IN ({stays})"""
    )
    return [s.model_copy(update={"live": live[s.sha256]}) for s in staying] + fresh


def shard_tar(spec: RepresentationSpec, members: Sequence[_Member]) -> tuple[bytes, list[int]]:
    """The tar's bytes, and where each member's .npy bytes begin in it."""
    buffer = io.BytesIO()
    headers = {"AURICLE.schema": SHARD_SCHEMA, "AURICLE.representation": spec.name}
    offsets = []
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        for member in members:
            offsets.append(buffer.tell() + tarfile.BLOCKSIZE)
            _add(tar, f"{member.key}.npy", member.payload)
            _add(tar, f"{member.key}.json", json.dumps(member.facts, sort_keys=True, separators=(",", ":")).encode())
    return buffer.getvalue(), offsets


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    tar.addfile(info, io.BytesIO(data))


def _members(store: Store, spec: RepresentationSpec, rows: pa.RecordBatchReader) -> Iterator[_Member]:
    for batch in rows:
        held: list[dict[str, Any]] = []
        size = 0
        for row in batch.to_pylist():
            held.append(row)
            size += row["nbytes"]
            if size >= READ_AHEAD_BYTES:
                yield from _fetch(store, spec, held)
                held, size = [], 0
        yield from _fetch(store, spec, held)


def _fetch(store: Store, spec: RepresentationSpec, rows: Sequence[dict[str, Any]]) -> Iterator[_Member]:
    by_file: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        path = row["file"] if row["shard"] is None else shard_path(spec.name, row["shard"])
        by_file.setdefault(path, []).append(i)
    payloads: dict[int, bytes] = {}
    for path, places in by_file.items():
        found = store.get_ranges(path, [rows[i]["offset"] for i in places], [rows[i]["nbytes"] for i in places])
        payloads.update(zip(places, found, strict=True))
    for i, row in enumerate(rows):
        yield _Member(row["clip"], payloads[i], _facts(spec, row))


def _facts(spec: RepresentationSpec, row: dict[str, Any]) -> dict[str, Any]:
    """What the sample's key covers, nothing that can change: no score, no decision, no text."""
    return {
        "schema": SAMPLE_SCHEMA,
        "clip": row["clip"],
        "recording": row["recording"],
        "channel": row["channel"],
        "start": row["start"],
        "end": row["end"],
        "sample_rate": row["sample_rate"],
        "representation": spec.name,
        "fingerprint": spec.fingerprint,
        "frame_rate": spec.frame_rate,
        "num_frames": row["num_frames"],
    }


def _by_size(members: Iterator[_Member], shard_bytes: int) -> Iterator[list[_Member]]:
    held: list[_Member] = []
    size = 0
    for member in members:
        held.append(member)
        size += len(member.payload) + 2 * tarfile.BLOCKSIZE
        if size >= shard_bytes:
            yield held
            held, size = [], 0
    if held:
        yield held
