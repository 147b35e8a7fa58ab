"""The index of a plan: the live clips of a version as columns of numbers, in an order that only their keys decide."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...schemas.errors import ConfigError, IntegrityError
from ...schemas.keys import sha256_bytes
from ...schemas.representation import RepresentationSpec
from ...schemas.tables import Status
from ..reading.curricula import read_named
from ..reading.version import Version
from ..reading.where import Where
from ..storage.parts import read_columns
from .hashing import words_of
from .schedule import Schedule

NO_GROUP = "(none)"
"""Group of a clip whose mixing column is null."""


@dataclass(frozen=True)
class Pointers:
    """Where the payloads of one representation are, one row per clip of the index."""

    spec: RepresentationSpec
    shards: tuple[str, ...]
    """SHA-256 of the shards, in the order of the version's document."""
    shard: np.ndarray
    """`[n]` int32, place in `shards`."""
    offset: np.ndarray
    """`[n]` int64, of the .npy bytes in the shard."""
    nbytes: np.ndarray
    """`[n]` int32."""
    crc32: np.ndarray
    """`[n]` uint32, of the .npy bytes."""
    frames: np.ndarray
    """`[n]` int32."""


@dataclass(frozen=True)
class Index:
    """Live clips that have every representation asked for, by ascending key: the order of parts and rows is gone."""

    key: np.ndarray
    """`[n, 2]` uint64: the key's 32 hexadecimal digits."""
    pointers: tuple[Pointers, ...]
    """Of the representations asked for, in that order; the first one's frames are what lengths count."""
    group: np.ndarray
    """`[n]` int16, place in `groups`."""
    groups: tuple[str, ...]
    """Values of the mixing column, sorted; of a named curriculum its stages, or stages and values of quotas."""
    stage: np.ndarray | None
    """`[n]` int16: from which stage on the clip is open; None without a curriculum."""
    sample_rate: np.ndarray
    """`[n]` int32 Hz, of the recording."""
    columns: pa.Table
    """Columns of the clip table that were asked for, row by row."""
    curriculum: str = ""
    """SHA-256 of the curriculum's bytes, empty without one."""
    schedule: Schedule | None = None
    """What each epoch draws of each group, where a named curriculum says so."""

    def __len__(self) -> int:
        return len(self.key)

    def keys(self, rows: np.ndarray) -> list[str]:
        """The keys of some rows, 32 hexadecimal digits each."""
        text = self.key[rows].astype(">u8").tobytes().hex()
        return [text[i : i + 32] for i in range(0, len(text), 32)]


def read_index(
    version: Version,
    representations: Sequence[str],
    *,
    where: str | pc.Expression | None = None,
    group: str | None = None,
    curriculum: bool | str = False,
    columns: Sequence[str] = (),
) -> Index:
    """The index of a version, read part by part; no shard is touched.

    where: only clips for which this SQL expression (as `pull` takes it) or Arrow expression over clip columns holds.
    group: the column that mixing goes by. curriculum: whether to read the version's stages; a name: the named one,
    whose stages are the groups. columns: kept beside the index for whoever trains on them.
    Raises `ConfigError` for a name that the version lacks.
    """
    specs = [version.representation(name) for name in representations]
    if not specs or len({s.name for s in specs}) != len(specs):
        raise ConfigError(f"name at least one representation, each once; found {list(representations)}")
    files = version.files()
    test = None
    if isinstance(where, str) and files:
        test = Where(where, pq.read_schema(files[-1]))
    arrow = where if isinstance(where, pc.Expression) else None
    _require_columns(files, [*columns, *([group] if group else [])], version)
    stages = _stages(version, curriculum) if curriculum else None
    shards = {s.name: [shard.sha256 for shard in version.document.representations[s.name].shards] for s in specs}
    parts = [_read_part(file, specs, shards, test, arrow, group, stages, columns) for file in files]
    found = [part for part in parts if part is not None]
    return _joined(found, specs, shards, columns, stages)


@dataclass
class _Part:
    key: np.ndarray
    pointers: list[tuple[np.ndarray, ...]]
    group: pa.Array | None
    stage: np.ndarray | None
    sample_rate: np.ndarray
    columns: pa.Table


def _read_part(
    file: Path,
    specs: Sequence[RepresentationSpec],
    shards: dict[str, list[str]],
    test: Where | None,
    arrow: pc.Expression | None,
    group: str | None,
    stages: _Stages | None,
    columns: Sequence[str],
) -> _Part | None:
    names = [s.name for s in specs]
    known = set(pq.read_schema(file).names)
    if not set(names) <= known:
        return None
    wanted = ["clip", "status", "sample_rate", *names, *columns, *(test.columns if test else ())]
    if group:
        wanted.append(group.partition(".")[0])
    if arrow is not None:
        # an expression does not say which columns it reads
        table = read_columns(file)
        table = table.filter(arrow)
    else:
        table = read_columns(file, list(dict.fromkeys(wanted)))
    keep = pc.equal(table["status"], Status.KEPT.value)
    for name in names:
        keep = pc.and_(keep, pc.is_valid(pc.struct_field(table[name], "shard")))
    table = table.filter(keep)
    if test is not None:
        table = table.filter(test.mask(table))
    stage = None
    if stages is not None:
        place = pc.index_in(table["clip"], value_set=stages.clips)
        table, place = table.filter(pc.is_valid(place)), place.drop_null()
        stage = stages.stage[place.to_numpy()].astype(np.int16)
    return _Part(
        key=words_of(table["clip"], 2),
        pointers=[_pointers(table[s.name], shards[s.name], s.name) for s in specs],
        group=_group(table, group) if group else None,
        stage=stage,
        sample_rate=_numbers(table["sample_rate"], np.int32),
        columns=pa.table({c: _column(table, c) for c in columns}) if columns else pa.table({}),
    )


def _pointers(column: pa.ChunkedArray, shards: list[str], name: str) -> tuple[np.ndarray, ...]:
    place = pc.index_in(pc.struct_field(column, "shard"), value_set=pa.array(shards, pa.string()))
    if place.null_count:
        raise IntegrityError(f"{name}: the clip table points into a shard that the version's document does not list")
    types = {"offset": np.int64, "nbytes": np.int32, "crc32": np.uint32, "num_frames": np.int32}
    return (
        _numbers(place, np.int32),
        *(_numbers(pc.struct_field(column, field), dtype) for field, dtype in types.items()),
    )


def _numbers(column: pa.ChunkedArray, dtype: type) -> np.ndarray:
    return pc.fill_null(column, 0).to_numpy().astype(dtype)


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column, or `struct.child`; nulls where the part was written before it existed."""
    head, _, child = name.partition(".")
    if head not in table.column_names:
        return pa.chunked_array([pa.nulls(table.num_rows)])
    return pc.struct_field(table[head], child) if child else table[head]


def _group(table: pa.Table, name: str) -> pa.Array:
    text = pc.fill_null(pc.cast(_column(table, name), pa.string()), NO_GROUP)
    return text.combine_chunks().dictionary_encode() if isinstance(text, pa.ChunkedArray) else text.dictionary_encode()


def _require_columns(files: Sequence[Path], names: Sequence[str], version: Version) -> None:
    known: set[str] = set()
    for file in files:
        for column in pq.read_schema(file):
            known |= {column.name}
            if pa.types.is_struct(column.type):
                known |= {f"{column.name}.{child.name}" for child in column.type}
    missing = [name for name in names if name not in known]
    if files and missing:
        tops = ", ".join(sorted(n for n in known if "." not in n))
        raise ConfigError(f"version {version.document.number} has no column {missing[0]!r}; it has: {tops}")


@dataclass(frozen=True)
class _Stages:
    clips: pa.Array
    stage: np.ndarray
    """Stage of each clip; of a named curriculum the group of its schedule."""
    sha256: str
    schedule: Schedule | None = None


def _stages(version: Version, curriculum: bool | str) -> _Stages:
    if not isinstance(curriculum, str):
        table, data = version.curriculum()
        return _Stages(table["clip"].combine_chunks(), table["stage"].to_numpy(), sha256_bytes(data))
    named = read_named(version.store, version.document.number, curriculum)
    schedule = Schedule.of(named.document)
    table = named.table.filter(pc.is_valid(named.table["stage"]))
    place = schedule.place(table["stage"].to_pylist(), table["quota"].to_pylist())
    return _Stages(table["clip"].combine_chunks(), place, named.sha256, schedule)


def _joined(
    parts: list[_Part],
    specs: Sequence[RepresentationSpec],
    shards: dict[str, list[str]],
    columns: Sequence[str],
    stages: _Stages | None,
) -> Index:
    """All parts by ascending key. Parts are emptied as they are taken over: at 10^7 clips each copy counts."""
    key = np.concatenate([p.key for p in parts]) if parts else np.empty((0, 2), np.uint64)
    order = np.argsort(key[:, 0], kind="stable")
    high = key[order, 0]
    if (high[1:] == high[:-1]).any():
        order = np.lexsort((key[:, 1], key[:, 0]))
    key = key[order]

    def joined(arrays: list[np.ndarray], dtype: type) -> np.ndarray:
        return np.concatenate(arrays)[order] if arrays else np.empty(0, dtype)

    types = (np.int32, np.int64, np.int32, np.uint32, np.int32)
    pointers = []
    for i, spec in enumerate(specs):
        found = [joined([p.pointers[i][j] for p in parts], dtype) for j, dtype in enumerate(types)]
        pointers.append(Pointers(spec, tuple(shards[spec.name]), *found))
        for part in parts:
            part.pointers[i] = ()
    schedule = stages.schedule if stages is not None else None
    stage = joined([p.stage for p in parts if p.stage is not None], np.int16) if stages is not None else None
    if schedule is None:
        groups, place = _joined_groups(parts)
        place = place[order]
    else:
        assert stage is not None
        groups, place, stage = tuple(map(schedule.label, range(len(schedule.groups)))), stage, None
    table = pa.concat_tables([p.columns for p in parts], promote_options="permissive") if parts and columns else None
    return Index(
        key=key,
        pointers=tuple(pointers),
        group=place,
        groups=groups,
        stage=stage,
        sample_rate=joined([p.sample_rate for p in parts], np.int32),
        columns=table.take(pa.array(order)).combine_chunks() if table is not None else pa.table({}),
        curriculum=stages.sha256 if stages is not None else "",
        schedule=schedule,
    )


def _joined_groups(parts: list[_Part]) -> tuple[tuple[str, ...], np.ndarray]:
    values = sorted({v for p in parts if p.group is not None for v in p.group.dictionary.to_pylist()})
    if not values:
        return ("all",), np.zeros(sum(len(p.key) for p in parts), np.int16)
    place_of = {value: place for place, value in enumerate(values)}
    if len(values) > np.iinfo(np.int16).max:
        raise ConfigError(f"the mixing column has {len(values)} values; at most {np.iinfo(np.int16).max} can be mixed")
    found = []
    for part in parts:
        assert part.group is not None
        translation = np.array([place_of[v] for v in part.group.dictionary.to_pylist()], np.int16)
        codes = part.group.indices.to_numpy()
        found.append(translation[codes] if len(translation) else np.empty(0, np.int16))
    return tuple(values), np.concatenate(found)
