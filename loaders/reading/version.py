"""Open a version and read it: the clip table as Arrow, the live samples of a representation.

from auricle.loaders import open_version
version = open_version("./speech-dataset")
for sample in version.samples("builtin-codes"):
    sample.array     # [K, T] uint16
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...schemas.curriculum import CURRICULUM_SCHEMA
from ...schemas.errors import ConfigError, DatasetError, IntegrityError, NoDatasetError
from ...schemas.keys import sha256_bytes
from ...schemas.near import did_you_mean
from ...schemas.records import PURGED_SCHEMA, REF_SCHEMA
from ...schemas.representation import RepresentationSpec
from ...schemas.tables import POINTER, Status
from ...schemas.version import Object, VersionDocument
from ..storage.json_record import read_record
from ..storage.layout import (
    clips_path,
    derived_path,
    purged_path,
    recordings_path,
    ref_path,
    version_path,
)
from ..storage.parts import each_part, opened_part, read_rows, require_tag
from ..storage.payloads import Payloads
from ..storage.store import Store
from ..storage.table_copies import copies_folder
from .curricula import Listed, NamedCurriculum, listed, read_named
from .samples import Places, Rows, Sample, runs


@dataclass(frozen=True)
class Version:
    """One published version of a dataset, opened for reading."""

    store: Store
    document: VersionDocument
    sha256: str
    """Of the document's bytes."""

    @cached_property
    def _cache(self) -> Path:
        return copies_folder(self.store.url)

    def files(self) -> list[Path]:
        """Local paths of the clip table's Parquet parts; `read_parquet([...], union_by_name=true)` opens them.

        Raises `IntegrityError` for a part that is missing, `SchemaVersionError` for one that a newer auricle wrote.
        """
        return self._clip_files

    def recording_files(self) -> list[Path]:
        """Local paths of the recording table's Parquet parts. Raises as `files` does."""
        return self._recording_files

    @cached_property
    def _clip_files(self) -> list[Path]:
        return self._opened([(part, clips_path(part.sha256)) for part in self.document.clips])

    @cached_property
    def _recording_files(self) -> list[Path]:
        return self._opened([(part, recordings_path(part.sha256)) for part in self.document.recordings])

    def _opened(self, parts: Sequence[tuple[Object, str]]) -> list[Path]:
        return list(each_part(self.store, parts, lambda _, path: opened_part(self.store, path, self._cache)))

    def clips(self, columns: Sequence[str] | None = None, where: pc.Expression | None = None) -> pa.Table:
        """The clip table: one row per clip, kept or not, with `columns` (default all) where `where` holds."""
        return _read_parts(self.files(), columns, where)

    def recordings(self) -> pa.Table:
        """The recording table: one row per distinct source file."""
        return _read_parts(self.recording_files(), None, None)

    def representation(self, prefix: str) -> RepresentationSpec:
        """The representation whose name is `prefix` or the only one that starts with it."""
        names = sorted(self.document.representations)
        found = [prefix] if prefix in names else [n for n in names if n.startswith(prefix)]
        if len(found) != 1:
            state, near = f"fits {', '.join(found)}" if found else "fits none", did_you_mean(prefix, names)
            raise ConfigError(
                f"representation {prefix!r} {state} of version {self.document.number}{'.' if found else near} "
                f"It has: {', '.join(names) or 'none'}"
            )
        return self.document.representations[found[0]].spec

    def live(
        self,
        representation: str,
        *,
        columns: Sequence[str] | None = None,
        stage: int | str | None = None,
        where: pc.Expression | None = None,
        curriculum: str | None = None,
    ) -> pa.Table:
        """Rows of kept clips that have this representation, in shard order, with its pointer in column `pointer`.

        columns: of the clip table, besides the pointer; default all, which takes about 2 kB of memory per clip.
        stage: clips that are open at this stage of the version's curriculum; stages add up. curriculum: of this named
        one instead, where a stage may go by its name and all are open by default.
        """
        spec = self.representation(representation)
        opened = self._open_clips(stage, curriculum)
        parts = [_spread(self._live_part(file, spec, columns, opened, where)) for file in self.files()]
        if not parts:
            return pa.table({"pointer": pa.array([], POINTER)})
        return self._in_shard_order(pa.concat_tables(parts, promote_options="permissive"), spec)

    def samples(
        self,
        representation: str,
        *,
        stage: int | str | None = None,
        where: pc.Expression | None = None,
        curriculum: str | None = None,
    ) -> Iterator[Sample]:
        """Live samples of one representation, part by part of the clip table and in shard order within a part; every
        payload's checksum is checked. stage, curriculum: as `live` has them.

        Raises `IntegrityError` for a missing shard or a payload that is not what the table says.
        """
        spec = self.representation(representation)
        opened = self._open_clips(stage, curriculum)
        payloads = Payloads(self.store)
        skip = {*self.document.representations, *self.document.curators}
        for file in self.files():
            columns = [name for name in pq.read_schema(file).names if name not in skip]
            table = self._in_shard_order(_spread(self._live_part(file, spec, columns, opened, where)), spec)
            facts, keys = table.drop_columns("pointer"), table["clip"].to_pylist()
            for start, end, arrays in runs(payloads, spec, keys, Places.of(table["pointer"])):
                rows = Rows(facts.slice(start, end - start))
                for place, (key, array) in enumerate(zip(keys[start:end], arrays, strict=True)):
                    # its own memory, as whoever trains on it may write there
                    yield Sample(key, array.copy(), rows, place)

    def _live_part(
        self,
        file: Path,
        spec: RepresentationSpec,
        columns: Sequence[str] | None,
        opened: pa.Array | None,
        where: pc.Expression | None,
    ) -> pa.Table:
        """The rows of one part whose clips are kept and have the representation: `columns` and `pointer`."""
        known = pq.read_schema(file).names
        # a part that was written before a column existed lacks it: its rows read as null
        wanted = known if columns is None else [c for c in columns if c in known]
        read = list(dict.fromkeys([*wanted, "clip", *({spec.name} & set(known))]))
        kept = pc.equal(pc.field("status"), Status.KEPT.value)
        table = read_rows(file, read, kept if where is None else kept & where)
        pointer = table[spec.name] if spec.name in known else pa.nulls(table.num_rows, POINTER)
        hit = pc.is_valid(pc.struct_field(pointer, "shard"))
        if opened is not None:
            hit = pc.and_(hit, pc.is_in(table["clip"], value_set=opened))
        return table.select(wanted).append_column("pointer", pointer).filter(hit)

    def _in_shard_order(self, table: pa.Table, spec: RepresentationSpec) -> pa.Table:
        """The rows of a table that `_spread` made, with the column `pointer` again."""
        listed = pa.array([shard.sha256 for shard in self.document.representations[spec.name].shards], pa.string())
        shard = table[f"{_FIELD}shard"].unify_dictionaries().combine_chunks()
        shard = shard if isinstance(shard, pa.DictionaryArray) else pa.concat_arrays(shard.chunks)
        place = {
            "shard": pc.index_in(shard.dictionary, value_set=listed).take(shard.indices),
            "offset": table[f"{_FIELD}offset"],
        }
        order = pc.sort_indices(pa.table(place), [("shard", "ascending"), ("offset", "ascending")])
        del place, shard
        columns, fields = {}, []
        for name in table.column_names:
            # one column at a time, each given back once it is taken over: a large table never stands twice
            if name.startswith(_FIELD):
                fields.append(_taken(table[name], order))
            else:
                columns[name] = table[name].take(order)
            table = table.drop_columns(name)
        columns["pointer"] = pa.chunked_array([pa.StructArray.from_arrays(fields, fields=list(POINTER))])
        return pa.table(columns)

    def derived(self, name: str) -> bytes | None:
        """A file that was derived from this version, None when it was not made."""
        path = derived_path(self.document.number, name)
        return self.store.get(path) if self.store.exists(path) else None

    def curriculum(self) -> tuple[pa.Table, bytes]:
        """The version's curriculum (`schemas.curriculum`) and its file's bytes. Raises `ConfigError` without one."""
        data = self.derived("curriculum.parquet")
        if data is None:
            raise ConfigError(
                f"version {self.document.number} has no curriculum: make it with "
                f"`auricle curriculum {self.store.root or self.store.url}@{self.document.number}`"
            )
        table = pq.read_table(pa.BufferReader(data))
        # the first writers of auricle.curriculum/1 left no tag
        require_tag(table.schema, CURRICULUM_SCHEMA, "curriculum.parquet", untagged=CURRICULUM_SCHEMA)
        return table, data

    def curricula(self) -> list[Listed]:
        """The named curricula beside the version."""
        return listed(self.store, self.document.number)

    def named_curriculum(self, name: str) -> NamedCurriculum:
        """A named curriculum. Raises as `loaders.reading.curricula.read_named` does."""
        return read_named(self.store, self.document.number, name)

    def _open_clips(self, stage: int | str | None, curriculum: str | None) -> pa.Array | None:
        """Keys of the clips that are open, None where all are."""
        if curriculum is not None:
            named = self.named_curriculum(curriculum)
            last = len(named.document.stages) - 1 if stage is None else named.stage_of(stage)
            table = named.table
        elif stage is None:
            return None
        elif isinstance(stage, str):
            raise ConfigError(f"the stage {stage!r} goes by name: say of which named curriculum, with curriculum=")
        else:
            table, last = self.curriculum()[0], stage
        # a comparison with null is null, which a filter leaves out
        return table.filter(pc.less_equal(table["stage"], last))["clip"].combine_chunks()


_FIELD = "pointer."
"""Beginning of the names of a pointer's fields as columns."""


def _spread(table: pa.Table) -> pa.Table:
    """A live part with the fields of its pointers as columns; names as dictionaries, of which there are few."""
    pointer = table["pointer"]
    table = table.drop_columns("pointer")
    for field in POINTER:
        column = pc.struct_field(pointer, field.name)
        column = column.dictionary_encode() if pa.types.is_string(field.type) else column
        table = table.append_column(f"{_FIELD}{field.name}", column)
    return table


def _taken(column: pa.ChunkedArray, order: pa.Array) -> pa.Array:
    """Rows of a pointer's field in another order, names written out."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    taken = column.take(order).combine_chunks()
    if isinstance(taken, pa.ChunkedArray):
        taken = pa.concat_arrays(taken.chunks)
    return taken.dictionary_decode() if isinstance(taken, pa.DictionaryArray) else taken


def open_version(dataset: str | Store, version: int | str | None = None) -> Version:
    """Open a published version for reading.

    dataset: a folder or s3:// prefix, optionally with `@7` or `@tag` appended.
    version: a number or a tag; default the newest.
    Raises `ConfigError` when there is no such version, `SchemaVersionError` when it needs a newer auricle.
    """
    if isinstance(dataset, str):
        url, found = split_version(dataset)
        version = found if version is None else version
        store = Store(url)
    else:
        store = dataset
    number = resolve(store, version)
    data = store.get(version_path(number))
    document = VersionDocument.from_json(data, f"{store.url}/{version_path(number)}")
    if isinstance(version, str) and not version.isdigit() and _ref(store, version)["sha256"] != sha256_bytes(data):
        raise IntegrityError(
            f"{store.url}/{version_path(number)}: the tag {version!r} was given when the file had other bytes. "
            "Copy the document back from a backup, or remove the tag"
        )
    if document.number != number:
        raise DatasetError(f"{version_path(number)} says it is version {document.number}: the file was moved")
    return Version(store, document, sha256_bytes(data))


def split_version(dataset: str) -> tuple[str, str | None]:
    """`./data@7` to ("./data", "7"); an `@` inside the path's folders stays part of the path, and so does one in the
    name of a folder that is there. On an object store a slash at the end says so: `s3://bucket/corpus@2026/`."""
    if "://" not in dataset and Path(dataset).expanduser().is_dir():
        return dataset, None
    head, at, tail = dataset.rpartition("@")
    return (head, tail) if at and head and "/" not in tail else (dataset, None)


def numbers(store: Store) -> list[int]:
    """Numbers of all published versions, ascending."""
    return numbered(e.path for e in store.list("versions"))


def numbered(paths: Iterable[str]) -> list[int]:
    """Numbers of the versions whose documents are among `paths`, ascending."""
    return sorted(int(match[1]) for path in paths if (match := re.fullmatch(r"versions/(\d{6,})\.json", path)))


def resolve(store: Store, version: int | str | None) -> int:
    """The number that a number, a tag or None (the newest) names."""
    if version is None:
        number = _published(store)[-1]
    elif isinstance(version, int) or version.isdigit():
        number = int(version)
    elif store.exists(ref_path(version)):
        number = int(_ref(store, version)["version"])
    else:
        known = _published(store)
        raise ConfigError(f"{store.root or store.url}: no tag {version!r}; versions: {known[0]} to {known[-1]}")
    if store.exists(purged_path(number)):
        advice = "the version was retired by a takedown in any case; its successor is the next one that opens"
        companion = read_record(store, purged_path(number), PURGED_SCHEMA, ["redirect"], advice)
        raise ConfigError(
            f"version {number} was retired by a takedown; version {companion['redirect']} is its successor"
        )
    # all versions are listed only where they have to be: whoever opens each of many lists nothing
    if version is not None and not store.exists(version_path(number)):
        known = _published(store)
        raise ConfigError(f"{store.root or store.url}: no version {number}; published: {known[0]} to {known[-1]}")
    return number


def _published(store: Store) -> list[int]:
    """Numbers of all published versions. Raises `NoDatasetError` when there are none."""
    known = numbers(store)
    if not known:
        raise NoDatasetError(
            f"no dataset at {store.root or store.url}: no version has been published there yet; "
            "make one with `auricle run`"
        )
    return known


def _ref(store: Store, tag: str) -> dict[str, Any]:
    advice = f"remove the tag with `auricle tag DATASET {tag} --remove` and give it again"
    return read_record(store, ref_path(tag), REF_SCHEMA, ["version", "sha256"], advice)


def _read_parts(files: Sequence[Path], columns: Sequence[str] | None, where: pc.Expression | None) -> pa.Table:
    if not files:
        return pa.table({})
    tables = []
    for file in files:
        # a part that was written before a column existed lacks it: its rows read as null
        present = None if columns is None else [c for c in columns if c in pq.read_schema(file).names]
        tables.append(read_rows(file, present, where))
    return pa.concat_tables(tables, promote_options="permissive")
