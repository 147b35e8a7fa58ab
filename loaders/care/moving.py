"""Shards on their way into another version: copied whole, or their wanted samples packed into new ones."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from ...schemas.errors import IntegrityError
from ...schemas.keys import canonical_json, digest, sha256_bytes
from ...schemas.records import PACKED_SCHEMA
from ...schemas.representation import RepresentationSpec
from ...schemas.tables import CARRIED, POINTER
from ...schemas.version import Object, Shard
from ..storage.json_record import read_record
from ..storage.layout import shard_path
from ..storage.objects import put_object
from ..storage.shards import Member, sample_facts, shard_tar
from ..storage.store import Store, at_once

T = TypeVar("T")
AT_ONCE = 4
"""Shards in flight: their bytes are what the memory holds. Of small ones on an object store more, see `in_flight`."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A shard that is in the target."""

    representation: str
    shard: Shard
    keys: list[str] | None
    """Samples in order when they were packed anew; None for a shard that was taken whole."""
    offsets: list[int]
    how: str
    """copied, packed, reused (it was there already) or kept (source and target are one)."""


@dataclass(frozen=True)
class Mover:
    """Brings shards from one store to another, or to new shards of the same."""

    source: Store
    target: Store
    receipts: str | None = None
    """Folder in the target that remembers packed shards, so that an interrupted rewriting goes on."""

    def copy(self, name: str, shard: Shard, size: int | None) -> Arrived:
        """Take a shard whole, its bytes hashed on the way. size: what the target has under its name."""
        path = shard_path(name, shard.sha256)
        if self.source.url == self.target.url:
            return Arrived(name, shard, None, [], "kept")
        if present(self.target, path, shard, size):
            return Arrived(name, shard, None, [], "reused")
        data = self.source.get(path)
        if sha256_bytes(data) != shard.sha256:
            raise IntegrityError(
                f"{self.source.url}/{path}: its bytes do not hash to its name; restore it from a copy of the "
                "dataset, then run `auricle verify`"
            )
        self.target.put_new(path, data)
        return Arrived(name, shard, None, [], "copied")

    def pack(self, spec: RepresentationSpec, group: list[dict[str, Any]]) -> Arrived:
        """Pack samples, given by facts and old pointers, into one new shard."""
        keys = [row["clip"] for row in group]
        carried = [canonical_json([row[CARRIED] for row in group])] if CARRIED in group[0] else []
        receipt = f"{self.receipts}/{digest(spec.name, spec.fingerprint, *keys, *carried)}.json"
        if self.receipts and self.target.exists(receipt):
            known = read_record(self.target, receipt, PACKED_SCHEMA, ["shard", "offsets"], "delete it and go on")
            shard = Shard.model_validate(known["shard"])
            path = shard_path(spec.name, shard.sha256)
            if present(self.target, path, shard, self.target.size(path)):
                return Arrived(spec.name, shard, keys, known["offsets"], "reused")
        payloads = read_payloads(self.source, spec, group)
        data, offsets = shard_tar(
            spec.name, [Member(r["clip"], p, sample_facts(spec, r)) for r, p in zip(group, payloads, strict=True)]
        )
        shard = Shard(sha256=sha256_bytes(data), num_bytes=len(data), rows=len(group), live=len(group))
        put_object(self.target, shard_path(spec.name, shard.sha256), data)
        if self.receipts:
            record = {"schema": PACKED_SCHEMA, "shard": shard.model_dump(), "offsets": offsets}
            self.target.put_new(receipt, json.dumps(record).encode())
        return Arrived(spec.name, shard, keys, offsets, "packed")


@dataclass
class Moved:
    """Where the samples of a representation went."""

    clips: list[pa.Array] = field(default_factory=list)
    shards: list[pa.Array] = field(default_factory=list)
    offsets: list[pa.Array] = field(default_factory=list)

    def add(self, keys: Sequence[str], shard: str, offsets: Sequence[int]) -> None:
        """Samples that are now in `shard`."""
        self.clips.append(pa.array(keys, pa.string()))
        self.shards.append(pa.array([shard] * len(keys), pa.string()).dictionary_encode())
        self.offsets.append(pa.array(offsets, pa.int64()))


class Lookup:
    """New pointers for old ones."""

    def __init__(self, moved: Moved, staying: Sequence[str]) -> None:
        self._clips = pa.chunked_array(moved.clips, pa.string()).combine_chunks()
        self._shards = pa.chunked_array(
            [s.cast(pa.string()) for s in moved.shards] if moved.shards else [], pa.string()
        ).combine_chunks()
        self._offsets = pa.chunked_array(moved.offsets, pa.int64()).combine_chunks()
        self._staying = pa.array(staying, pa.string())

    def applied(self, clips: pa.ChunkedArray, pointer: pa.StructArray) -> pa.StructArray:
        """Pointers into moved and staying shards; others become null, except those that hold an error."""
        field_of = {f.name: pc.struct_field(pointer, f.name) for f in POINTER.fields}
        at = pc.index_in(clips.combine_chunks(), value_set=self._clips)
        stays = pc.is_in(field_of["shard"], value_set=self._staying)
        moves = pc.and_(pc.is_valid(at), pc.and_(pc.is_valid(field_of["shard"]), pc.invert(stays)))
        field_of["shard"] = pc.if_else(moves, self._shards.take(at), field_of["shard"])
        field_of["offset"] = pc.if_else(moves, self._offsets.take(at), field_of["offset"])
        remains = pc.or_(pc.or_(moves, stays), pc.is_valid(field_of["error"]))
        return pa.StructArray.from_arrays(
            [field_of[f.name] for f in POINTER.fields], fields=list(POINTER.fields), mask=pc.invert(remains)
        )


def read_payloads(store: Store, spec: RepresentationSpec, rows: Sequence[dict[str, Any]]) -> list[bytes]:
    """The .npy bytes that rows (clip, shard, offset, nbytes, crc32) point to, each checked against its checksum.

    A row without a shard points into `file`, what a unit of an unfinished run wrote.
    Raises `IntegrityError` for a shard or file that is missing or damaged.
    """
    by_path: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        path = shard_path(spec.name, row["shard"]) if row["shard"] is not None else row["file"]
        by_path.setdefault(path, []).append(i)
    found: dict[int, bytes] = {}

    def ranges(path: str) -> list[bytes]:
        places = by_path[path]
        return store.get_ranges(path, [rows[i]["offset"] for i in places], [rows[i]["nbytes"] for i in places])

    for (path, places), parts in zip(by_path.items(), store.each(ranges, list(by_path)), strict=True):
        for i, part in zip(places, parts, strict=True):
            if zlib.crc32(part) != rows[i]["crc32"]:
                raise IntegrityError(
                    f"{store.url}/{path}: the sample of clip {rows[i]['clip']} fails its checksum; {_remedy(path)}"
                )
            found[i] = part
    return [found[i] for i in range(len(rows))]


def _remedy(path: str) -> str:
    if path.startswith("runs/"):
        run = path.split("/")[1]
        return f"nothing was published from it: `auricle abandon DATASET {run}` gives the run up, then run again"
    return "run `auricle verify` and restore the shard from a copy"


def present(target: Store, path: str, wanted: Object, size: int | None) -> bool:
    """Whether the target, which says it has `size` bytes of the object, has it whole; a damaged one is removed."""
    if size is None:
        return False
    if size == wanted.num_bytes and sha256_bytes(target.get(path)) == wanted.sha256:
        return True
    target.delete([path])
    return False


def in_flight(store: Store, largest_bytes: int) -> int:
    """Shards in flight: on an object store as many as `Store.each` has, and never fewer than `AT_ONCE`."""
    return AT_ONCE if store.root is not None else max(AT_ONCE, at_once(largest_bytes))
