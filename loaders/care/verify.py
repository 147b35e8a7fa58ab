"""Verify: hash every object of a version again and follow every pointer. Damage is reported, never raised."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...schemas.counted import counted
from ...schemas.errors import DatasetError, SchemaVersionError
from ...schemas.keys import digest, sha256_bytes
from ...schemas.representation import RepresentationSpec
from ...schemas.tables import ADDED, CLIP_CORE, RECORDINGS, Status
from ...schemas.version import Object, Shard, VersionDocument
from ..reading.ledger import CLIP_COLUMNS, RECORDING_COLUMNS, Ledger
from ..reading.version import Version, open_version
from ..storage.layout import clips_path, recordings_path, shard_path, version_path
from ..storage.parts import checked_part, each_part, read_columns
from ..storage.shards import Place, read_index
from ..storage.store import Store, in_order
from .moving import in_flight

Problem = Literal["missing", "bytes", "unreadable", "pointer", "count", "schema", "history", "left behind"]
POINTER_FIELDS = ("shard", "offset", "nbytes", "num_frames", "crc32")
FINDINGS_PER_OBJECT = 5
"""A shard that is all wrong is told in a few lines."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the version says."""

    path: str
    problem: Problem
    detail: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}: {self.detail}. {self.advice}"


RESTORE = "Copy the object back from a pull or a backup: its name is the SHA-256 of its bytes."
REMAKE = RESTORE + " Without a copy, `auricle repair` leaves the shard out and the next run makes its samples again."
DEFECT = "The object is what was published, so this is a defect of the writer: roll back and report it."


def verify(
    dataset: str | Store,
    version: int | str | None = None,
    sample: float | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Finding]:
    """What is wrong with a version; empty when all is well.

    sample: share of the shards, in [0, 1], whose bytes are read; each version draws another sample. Existence and
    size of every object, and every row of the tables, are always checked.
    progress: told shards done and shards in all.
    Raises `SchemaVersionError` for what a newer auricle wrote: it cannot be judged.
    """
    source = open_version(dataset, version)
    found = [*_history(source), *_left_behind(source.store)]
    clips = [(part, clips_path(part.sha256)) for part in source.document.clips]
    recordings = [(part, recordings_path(part.sha256)) for part in source.document.recordings]
    files = _parts(source, clips, CLIP_CORE, found)
    others = _parts(source, recordings, RECORDINGS, found)
    if len(files) == len(clips) and len(others) == len(recordings):
        found += _ledger(source.document, files, others)
    found += _keys(source.document, files)
    done, total = 0, sum(len(entry.shards) for entry in source.document.representations.values())
    shards = [shard for entry in source.document.representations.values() for shard in entry.shards]
    most = in_flight(source.store, max((shard.num_bytes for shard in shards), default=0))
    with ThreadPoolExecutor(most, thread_name_prefix="verify") as pool:
        for name, entry in source.document.representations.items():
            pointers = _pointers(files, name)
            found += _strays(source, name, pointers, {s.sha256 for s in entry.shards})
            sizes = source.store.each(source.store.size, [shard_path(name, s.sha256) for s in entry.shards])
            jobs = (
                partial(
                    _shard, source, entry.spec, shard, size, pointers, sample is None or _draw(source, shard) < sample
                )
                for shard, size in zip(entry.shards, sizes, strict=True)
            )
            for findings in in_order(pool, jobs, most):
                found += findings
                done += 1
                progress(done, total)
            live = sum(s.live for s in entry.shards)
            if live != entry.live:
                listed = counted(entry.live, "live sample")
                found.append(_wrong_count(source, f"{name}: {listed}, its shards say {live:,}"))
    return found


def _left_behind(store: Store) -> Iterator[Finding]:
    """Files of writes that were killed, which no listing shows and which may hold samples or text of anybody."""
    for entry in store.left_behind():
        detail = f"a write that was killed left {counted(entry.size, 'byte')}, which belong to no version"
        yield Finding(entry.path, "left behind", detail, "`auricle gc DATASET --yes` removes it.")


def _history(source: Version) -> Iterator[Finding]:
    """The parent, where it is still there, is the one that this version was made from."""
    document = source.document
    if document.parent is None:
        return
    path = version_path(document.parent)
    if source.store.exists(path) and sha256_bytes(source.store.get(path)) != document.parent_sha256:
        yield Finding(
            path,
            "history",
            f"version {document.number} was made from other bytes of this document",
            "Copy the document back from a backup; it must never change.",
        )


def _parts(
    source: Version, parts: Sequence[tuple[Object, str]], core: pa.Schema, found: list[Finding]
) -> list[tuple[Object, Path]]:
    """The parts that are whole; what is wrong with the others goes into `found`."""
    whole = []
    judged = each_part(source.store, parts, lambda part, path: _part(source, part, path, core))
    for (part, _), result in zip(parts, judged, strict=True):
        if isinstance(result, Finding):
            found.append(result)
        else:
            whole.append((part, result))
    return whole


def _part(source: Version, part: Object, path: str, core: pa.Schema) -> Path | Finding:
    size = source.store.size(path)
    if size is None:
        return Finding(path, "missing", "the part of the table is gone", RESTORE)
    try:
        file = checked_part(source.store, part, path, source._cache)
    except SchemaVersionError:
        raise
    except DatasetError:
        detail = f"its bytes ({size:,}, published were {part.num_bytes:,}) do not hash to its name"
        return Finding(path, "bytes", detail, RESTORE)
    schema = pq.read_schema(file)
    held = [f for f in core if f.name in schema.names or f.name not in ADDED]
    wrong = [f.name for f in held if f.name not in schema.names or schema.field(f.name).type != f.type]
    if wrong:
        detail = f"columns {', '.join(wrong)} are not as the schema of the table says"
        return Finding(path, "schema", detail, DEFECT)
    return file


def _ledger(
    document: VersionDocument, clips: Sequence[tuple[Object, Path]], recordings: Sequence[tuple[Object, Path]]
) -> Iterator[Finding]:
    """Counts of the document against the rows."""
    ledger, path = Ledger(), version_path(document.number)
    for part, file in clips:
        table = read_columns(file, CLIP_COLUMNS)
        ledger.add_clips(table)
        if table.num_rows != part.rows:
            detail = f"part {part.sha256} has {counted(table.num_rows, 'row')}, listed {part.rows:,}"
            yield Finding(path, "count", detail, DEFECT)
    for _, file in recordings:
        ledger.add_recordings(read_columns(file, RECORDING_COLUMNS))
    for name, found in ledger.fields().items():
        said = getattr(document, name)
        if name != "hours" and found != said:
            yield Finding(path, "count", f"{name}: the document says {said}, the tables {found}", DEFECT)


def _keys(document: VersionDocument, files: Sequence[tuple[Object, Path]]) -> Iterator[Finding]:
    """No clip is there twice."""
    keys = [c for _, file in files for c in read_columns(file, ["clip"])["clip"].chunks]
    column = pa.chunked_array(keys, pa.string())
    twice = len(column) - pc.count_distinct(column).as_py()
    if twice:
        detail = f"{counted(twice, 'clip has', 'clips have')} more than one row"
        yield Finding(version_path(document.number), "count", detail, DEFECT)


def _pointers(files: Sequence[tuple[Object, Path]], name: str) -> dict[str, pa.Table]:
    """Rows that point into a shard, per shard."""
    tables = []
    for _, file in files:
        table = read_columns(file, ["clip", "status", *(f"{name}.{f}" for f in POINTER_FIELDS)])
        if name not in table.column_names:
            continue
        kept = pc.equal(table["status"], Status.KEPT.value)
        fields = {f: pc.struct_field(table[name], f) for f in POINTER_FIELDS}
        table = pa.table({"clip": table["clip"], "kept": kept, **fields})
        tables.append(table.filter(pc.is_valid(table["shard"])))
    if not tables:
        return {}
    rows = pa.concat_tables(tables).sort_by([("shard", "ascending"), ("offset", "ascending")])
    runs = pc.run_end_encode(rows["shard"].combine_chunks())
    slices: dict[str, pa.Table] = {}
    start = 0
    for shard, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        slices[shard] = rows.slice(start, end - start)
        start = end
    return slices


def _strays(source: Version, name: str, pointers: dict[str, pa.Table], listed: set[str]) -> Iterator[Finding]:
    for shard in sorted(set(pointers) - listed):
        rows = counted(pointers[shard].num_rows, "row points", "rows point")
        detail = f"{rows} into a shard that the version does not list"
        yield Finding(shard_path(name, shard), "pointer", detail, DEFECT)


def _shard(
    source: Version,
    spec: RepresentationSpec,
    shard: Shard,
    size: int | None,
    pointers: dict[str, pa.Table],
    read: bool,
) -> list[Finding]:
    """size: what the store says of it."""
    path = shard_path(spec.name, shard.sha256)
    if size is None:
        return [Finding(path, "missing", f"the shard of {counted(shard.rows, 'sample')} is gone", REMAKE)]
    if size != shard.num_bytes:
        return [Finding(path, "bytes", f"it has {counted(size, 'byte')}, published were {shard.num_bytes:,}", REMAKE)]
    rows = pointers.get(shard.sha256)
    live = pc.sum(rows["kept"]).as_py() if rows is not None else 0
    found = []
    if live != shard.live:
        detail = f"shard {shard.sha256} has {counted(live, 'live sample')}, listed {shard.live:,}"
        found.append(_wrong_count(source, detail))
    if not read:
        return found
    data = source.store.get(path)
    if sha256_bytes(data) != shard.sha256:
        return [*found, Finding(path, "bytes", "its bytes do not hash to its name", REMAKE)]
    try:
        representation, places = read_index(data, path)
    except DatasetError as error:
        return [*found, Finding(path, "unreadable", str(error), DEFECT)]
    if representation != spec.name:
        found.append(Finding(path, "schema", f"it says that it holds {representation!r}", DEFECT))
    if len(places) != shard.rows:
        found.append(Finding(path, "count", f"it has {counted(len(places), 'sample')}, listed {shard.rows:,}", DEFECT))
    wrong = [
        f"clip {row['clip']}: {why}"
        for row in (rows.to_pylist() if rows is not None else [])
        if (why := _pointer(data, places.get(row["clip"]), row, spec))
    ]
    details = wrong[:FINDINGS_PER_OBJECT]
    if len(wrong) > len(details):
        details.append(f"and {len(wrong) - len(details)} more")
    return found + [Finding(path, "pointer", detail, DEFECT) for detail in details]


def _pointer(data: bytes, place: Place | None, row: dict[str, Any], spec: RepresentationSpec) -> str:
    """What is wrong with one pointer, "" when nothing is."""
    if place is None:
        return "the shard has no such sample"
    if (place.offset, place.nbytes) != (row["offset"], row["nbytes"]):
        listed = f"{counted(row['nbytes'], 'byte')} at {row['offset']:,} listed"
        return f"{listed}, {counted(place.nbytes, 'byte')} at {place.offset:,} found"
    payload = memoryview(data)[place.offset : place.offset + place.nbytes]
    if zlib.crc32(payload) != row["crc32"]:
        return "the checksum differs"
    try:
        array = np.load(io.BytesIO(payload), allow_pickle=False)
    except ValueError as error:
        return f"not a readable array: {error}"
    if array.dtype != np.dtype(spec.dtype) or array.shape != (spec.rows, row["num_frames"]):
        declared = f"{spec.dtype} [{spec.rows}, {row['num_frames']}]"
        return f"declared {declared}, stored {array.dtype} {list(array.shape)}"
    return ""


def _wrong_count(source: Version, detail: str) -> Finding:
    return Finding(version_path(source.document.number), "count", detail, DEFECT)


def _draw(source: Version, shard: Shard) -> float:
    """A number in [0, 1) that version and shard decide."""
    return int(digest(source.sha256, shard.sha256)[:8], 16) / 2**32
