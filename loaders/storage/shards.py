"""Shards: immutable tars of one representation, whose bytes depend only on the samples in them and their order.

    <32-hex key>.npy, <32-hex key>.json, ...    nothing else; a PAX global header names the schema and representation

A pointer of the clip table gives the place of the .npy bytes, so that readers need no tar library.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...schemas.errors import IntegrityError
from ...schemas.records import SAMPLE_SCHEMA
from ...schemas.representation import RepresentationSpec
from ...schemas.tables import CARRIED
from ...schemas.version import require_major

SHARD_SCHEMA = "auricle.shard/1"


@dataclass(frozen=True, slots=True)
class Member:
    """One sample on its way into a shard."""

    key: str
    payload: bytes
    """A .npy file."""
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sample's .npy bytes are inside a tar."""

    offset: int
    nbytes: int


def sample_facts(spec: RepresentationSpec, row: Mapping[str, Any]) -> dict[str, Any]:
    """The json beside a sample: what the sample's key covers, and what its labels carry; no score, decision or text.

    What is carried may change: a shard is then packed again from its own samples.
    """
    carried = {"carried": row[CARRIED]} if CARRIED in row else {}
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
        **carried,
    }


def shard_tar(representation: str, members: Sequence[Member]) -> tuple[bytes, list[int]]:
    """The tar's bytes, and where each member's .npy bytes begin in it."""
    buffer = io.BytesIO()
    headers = {"AURICLE.schema": SHARD_SCHEMA, "AURICLE.representation": representation}
    offsets = []
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        for member in members:
            offsets.append(buffer.tell() + tarfile.BLOCKSIZE)
            _add(tar, f"{member.key}.npy", member.payload)
            _add(tar, f"{member.key}.json", json.dumps(member.facts, sort_keys=True, separators=(",", ":")).encode())
    return buffer.getvalue(), offsets


def read_index(data: bytes, name: str) -> tuple[str, dict[str, Place]]:
    """Representation and samples of a shard's bytes; `name` is what errors call it.

    Raises `IntegrityError` for bytes that are not a whole shard, `SchemaVersionError` for a newer major.
    """
    places: dict[str, Place] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for info in tar:
                key, _, suffix = info.name.rpartition(".")
                if suffix == "npy":
                    places[key] = Place(info.offset_data, info.size)
            headers = dict(tar.pax_headers)
    except tarfile.TarError as error:
        raise IntegrityError(f"{name}: not a readable tar: {error}") from error
    require_major(headers.get("AURICLE.schema", ""), SHARD_SCHEMA, name)
    return headers.get("AURICLE.representation", ""), places


def read_facts(data: bytes, name: str) -> list[dict[str, Any]]:
    """The json of every sample of a shard. Raises `IntegrityError` for bytes that are not a whole shard."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            texts = [file.read() for info in tar if info.name.endswith(".json") and (file := tar.extractfile(info))]
    except tarfile.TarError as error:
        raise IntegrityError(f"{name}: not a readable tar: {error}") from error
    return [json.loads(text) for text in texts]


def by_size(rows: Iterable[dict[str, Any]], shard_bytes: int) -> Iterator[list[dict[str, Any]]]:
    """Cut rows with `nbytes` into groups whose payloads fill a shard of `shard_bytes`."""
    held: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        held.append(row)
        size += row["nbytes"] + 2 * tarfile.BLOCKSIZE
        if size >= shard_bytes:
            yield held
            held, size = [], 0
    if held:
        yield held


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    tar.addfile(info, io.BytesIO(data))
