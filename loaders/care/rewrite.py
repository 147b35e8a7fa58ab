"""A version again, with some of its rows and representations: what pull, takedown, redaction and compaction share.

Shards that stay are taken as they are; live samples of the others are packed into new ones; then the parts of the
tables are written again where a row or a pointer changed. Nothing is loaded beyond one part of the table, one row of
facts per sample that moves, and `AT_ONCE` shards.
"""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...schemas.tables import CARRIED, Status
from ...schemas.version import Object, RepresentationEntry, Shard, VersionDocument
from ..reading.ledger import Ledger
from ..reading.version import Version
from ..storage.layout import clips_path, recordings_path, shard_path
from ..storage.parts import CLIP_ORDER, RECORDING_ORDER, checked_parts, read_columns, write_part
from ..storage.shards import by_size
from ..storage.store import Store, in_order
from .moving import Arrived, Lookup, Moved, Mover, in_flight, present

FACTS = ("clip", "recording", "channel", "start", "end", "sample_rate", "source", "tier", "path", "status", CARRIED)

Progress = Callable[[int, int], None]
"""Told bytes done and bytes in all."""


@dataclass(frozen=True)
class Rows:
    """Which rows of the clip table go on: a mask over `columns`."""

    columns: tuple[str, ...]
    mask: Callable[[pa.Table], pa.ChunkedArray]


@dataclass(frozen=True)
class Recipe:
    """What to change of a version."""

    representations: tuple[str, ...]
    stays: Callable[[Shard, int], bool]
    """Whether a shard of which this many members (never none) are wanted is taken as it is."""
    shard_bytes: int
    lost: frozenset[str] = frozenset()
    """Shards that cannot be read: rows keep no pointer into them."""
    rows: Rows | None = None
    """None: all rows."""
    edit: Callable[[pa.Table], pa.Table] | None = None
    """Changes values of rows, never their number."""
    recordings: Callable[[pa.Table], pa.Table] | None = None
    """Changes the recording table."""
    only_used_recordings: bool = False
    """Leave out recordings that no row names."""
    small_part: int = 0
    """Parts with fewer rows are merged with their neighbours."""
    large_part: int = 200_000


@dataclass(frozen=True)
class Planned:
    """What a rewriting would move."""

    live: dict[str, int]
    """Live samples per representation."""
    whole: int
    """Shards that are taken as they are."""
    whole_bytes: int
    moved: int
    """Live samples that are packed into new shards."""
    moved_bytes: int
    """Estimated from the mean sample of their shards."""


@dataclass
class Rewrite:
    """One rewriting of `version` into `target`; `run` gives the fields of the new document."""

    version: Version
    target: Store
    recipe: Recipe
    receipts: str | None = None
    """Folder in the target that remembers packed shards, so that an interrupted rewriting goes on."""
    progress: Progress = lambda done, total: None
    tally: Counter[str] = field(default_factory=Counter)
    """Shards copied, packed and reused, and the bytes of the first two."""

    def plan(self) -> Planned:
        """What `run` would move; reads the tables, writes nothing."""
        _, wanted, staying = self._judged()
        live = {name: counts.total() for name, counts in wanted.items()}
        stays = {s.sha256 for shards in staying.values() for s in shards}
        rest = [(s, wanted[n][s.sha256]) for n in wanted for s in self._entry(n).shards if s.sha256 not in stays]
        return Planned(
            live=live,
            whole=len(stays),
            whole_bytes=sum(s.num_bytes for shards in staying.values() for s in shards),
            moved=sum(count for _, count in rest),
            moved_bytes=sum(s.num_bytes * count // s.rows for s, count in rest),
        )

    def run(self) -> dict[str, Any]:
        """Write all objects; returns the fields of the version document that they change.

        Raises `IntegrityError` for an object whose bytes are not what its name or the table says.
        """
        files, wanted, staying = self._judged()
        moved = {name: Moved() for name in wanted}
        shards = self._shards(files, wanted, staying, moved)
        ledger = Ledger()
        clips, live, failed, used = self._clips(files, staying, moved, ledger)
        recordings = self._recordings(ledger, used)
        entries = {
            name: RepresentationEntry(spec=self._entry(name).spec, shards=shards[name], live=live[name], failed=f)
            for name, f in failed.items()
        }
        return {
            **ledger.fields(),
            "clips": clips,
            "recordings": recordings,
            "representations": entries,
            "untrained": [name for name in self._document.untrained if name in entries],
        }

    @property
    def _document(self) -> VersionDocument:
        return self.version.document

    @property
    def _same_store(self) -> bool:
        return self.target.url == self.version.store.url

    def _there(self, paths: Sequence[str]) -> Iterator[int | None]:
        """What a target of its own says it has of objects: they need not come again."""
        return iter([None] * len(paths)) if self._same_store else self.target.each(self.target.size, paths)

    def _entry(self, name: str) -> RepresentationEntry:
        return self._document.representations[name]

    def _stays(self, shard: Shard, wanted: int) -> bool:
        return shard.sha256 not in self.recipe.lost and wanted > 0 and self.recipe.stays(shard, wanted)

    def _judged(self) -> tuple[list[tuple[Object, Path]], dict[str, Counter[str]], dict[str, list[Shard]]]:
        """Parts of the clip table, live samples per shard, and the shards that stay."""
        files = self._part_files()
        wanted = {name: self._wanted(files, name) for name in self.recipe.representations}
        staying = {
            name: [s for s in self._entry(name).shards if self._stays(s, wanted[name][s.sha256])] for name in wanted
        }
        return files, wanted, staying

    def _part_files(self) -> list[tuple[Object, Path]]:
        store, cache = self.version.store, self.version._cache
        parts = [(part, clips_path(part.sha256)) for part in self._document.clips]
        return list(zip(self._document.clips, checked_parts(store, parts, cache), strict=True))

    def _selected(self, file: Path, columns: Sequence[str]) -> pa.Table:
        """The rows that go on, with `columns`."""
        rows = self.recipe.rows
        if rows is None:
            return read_columns(file, columns)
        mask = rows.mask(read_columns(file, list(dict.fromkeys([*rows.columns, "clip"]))))
        return read_columns(file, columns).filter(mask)

    def _wanted(self, files: Sequence[tuple[Object, Path]], name: str) -> Counter[str]:
        """Live samples per shard."""
        found: Counter[str] = Counter()
        for _, file in files:
            table = self._selected(file, ["status", f"{name}.shard"])
            if name in table.column_names:
                kept = table.filter(pc.equal(table["status"], Status.KEPT.value))
                counts = pc.value_counts(pc.struct_field(kept[name], "shard").drop_null())
                for entry in counts.to_pylist():
                    found[entry["values"]] += entry["counts"]
        return found

    def _shards(
        self,
        files: Sequence[tuple[Object, Path]],
        wanted: dict[str, Counter[str]],
        staying: dict[str, list[Shard]],
        moved: dict[str, Moved],
    ) -> dict[str, list[Shard]]:
        total = sum(s.num_bytes for shards in staying.values() for s in shards if not self._same_store)
        moving: dict[str, pa.Table] = {}
        for name in wanted:
            gone = set(wanted[name]) - {s.sha256 for s in staying[name]} - self.recipe.lost
            moving[name] = self._moving(files, name, gone)
            total += pc.sum(moving[name]["nbytes"]).as_py() or 0
        done = 0
        result: dict[str, list[Shard]] = {name: [] for name in wanted}
        sizes = [self.recipe.shard_bytes if moving[n].num_rows else 0 for n in moving]
        sizes += [s.num_bytes for shards in staying.values() for s in shards]
        far = self.version.store if self.version.store.root is None else self.target
        most = in_flight(far, max(sizes, default=0))
        with ThreadPoolExecutor(most, thread_name_prefix="shards") as pool:
            for arrived in in_order(pool, self._jobs(staying, moving), most):
                name, shard = arrived.representation, arrived.shard
                live = wanted[name][shard.sha256] if arrived.keys is None else shard.rows
                result[name].append(shard.model_copy(update={"live": live}))
                if arrived.keys is not None:
                    moved[name].add(arrived.keys, shard.sha256, arrived.offsets)
                self.tally[arrived.how] += 1
                if arrived.how in ("copied", "packed"):
                    self.tally["bytes"] += shard.num_bytes
                if arrived.how != "kept":
                    done += shard.num_bytes
                    self.progress(min(done, total), total)
        return result

    def _jobs(self, staying: dict[str, list[Shard]], moving: dict[str, pa.Table]) -> Iterator[Callable[[], Arrived]]:
        mover = Mover(self.version.store, self.target, self.receipts)
        for name, shards in staying.items():
            spec = self._entry(name).spec
            paths = [shard_path(name, shard.sha256) for shard in shards]
            for shard, size in zip(shards, self._there(paths), strict=True):
                yield partial(mover.copy, name, shard, size)
            rows = (row for batch in moving[name].to_batches(1 << 12) for row in batch.to_pylist())
            for group in by_size(rows, self.recipe.shard_bytes):
                yield partial(mover.pack, spec, group)

    def _moving(self, files: Sequence[tuple[Object, Path]], name: str, gone: set[str]) -> pa.Table:
        """Facts and pointers of live samples in shards that do not stay, in the order in which they are packed:
        by source, tier and position, so that a filter on them drops whole shards."""
        fields = ("shard", "offset", "nbytes", "num_frames", "crc32")
        tables = []
        for _, file in files if gone else ():
            table = self._selected(file, [*FACTS, *(f"{name}.{f}" for f in fields)])
            if name not in table.column_names:
                continue
            for f in fields:
                table = table.append_column(f, pc.struct_field(table[name], f))
            hit = pc.and_(
                pc.equal(table["status"], Status.KEPT.value),
                pc.is_in(table["shard"], value_set=pa.array(sorted(gone), pa.string())),
            )
            tables.append(self._as_carried(table.drop_columns([name, "status"]).filter(hit)))
        if not tables:
            return pa.table({"nbytes": pa.array([], pa.int64())})
        rows = pa.concat_tables(tables, promote_options="permissive")
        ranks = {s["name"]: i for i, s in enumerate(self._document.config.get("sources", []))}
        rank = pa.array([ranks.get(s, len(ranks)) for s in rows["source"].to_pylist()], pa.int32())
        order = [("rank", "ascending"), ("tier", "ascending"), *CLIP_ORDER]
        return rows.append_column("rank", rank).sort_by(order)

    def _as_carried(self, table: pa.Table) -> pa.Table:
        """What the json of each sample is to carry: what the row will have, every column also where it has none."""
        if CARRIED not in table.column_names:
            return table
        names = [child.name for child in table.schema.field(CARRIED).type]
        shown = table.select(["recording", CARRIED])
        if self.recipe.edit is not None:
            shown = self.recipe.edit(shown)
        flat = shown[CARRIED].combine_chunks()
        columns = [pc.struct_field(flat, name) for name in names]
        return table.set_column(
            table.column_names.index(CARRIED), CARRIED, pa.StructArray.from_arrays(columns, names=names)
        )

    def _clips(
        self,
        files: Sequence[tuple[Object, Path]],
        staying: dict[str, list[Shard]],
        moved: dict[str, Moved],
        ledger: Ledger,
    ) -> tuple[list[Object], Counter[str], Counter[str], list[pa.ChunkedArray]]:
        live: Counter[str] = Counter()
        failed: Counter[str] = Counter(dict.fromkeys(moved, 0))
        used: list[pa.ChunkedArray] = []
        lookup = {name: Lookup(m, [s.sha256 for s in staying[name]]) for name, m in moved.items()}
        unwanted = set(self._document.representations) - set(moved)

        def changed() -> Iterator[tuple[Object, Path, pa.Table, bool]]:
            for part, file in files:
                before = read_columns(file)
                table = before
                if self.recipe.rows is not None:
                    table = table.filter(self.recipe.rows.mask(table))
                table = table.drop_columns([c for c in table.column_names if c in unwanted])
                if self.recipe.edit is not None:
                    table = self.recipe.edit(table)
                for name, places in lookup.items():
                    if name in table.column_names:
                        column = places.applied(table["clip"], table[name].combine_chunks())
                        table = table.set_column(table.column_names.index(name), name, column)
                        kept = pc.equal(table["status"], Status.KEPT.value)
                        there = pc.is_valid(pc.struct_field(column, "shard"))
                        live[name] += pc.sum(pc.and_(kept, there)).as_py() or 0
                        failed[name] += len(pc.struct_field(column, "error").drop_null())
                ledger.add_clips(table)
                if self.recipe.only_used_recordings:
                    used.append(pc.unique(table["recording"]))
                yield part, file, table, table.equals(before)

        parts = self._parts(changed(), CLIP_ORDER, clips_path, [clips_path(p.sha256) for p in self._document.clips])
        return parts, live, failed, used

    def _recordings(self, ledger: Ledger, used: list[pa.ChunkedArray]) -> list[Object]:
        store, cache = self.version.store, self.version._cache
        live = pa.chunked_array(used, pa.string()) if self.recipe.only_used_recordings else None

        def changed() -> Iterator[tuple[Object, Path, pa.Table, bool]]:
            listed = [(part, recordings_path(part.sha256)) for part in self._document.recordings]
            for (part, _), file in zip(listed, checked_parts(store, listed, cache), strict=True):
                before = read_columns(file)
                table = before
                if live is not None:
                    table = table.filter(pc.is_in(table["recording"], value_set=live.combine_chunks()))
                if self.recipe.recordings is not None:
                    table = self.recipe.recordings(table)
                ledger.add_recordings(table)
                yield part, file, table, table.equals(before)

        return self._parts(
            changed(), RECORDING_ORDER, recordings_path, [recordings_path(p.sha256) for p in self._document.recordings]
        )

    def _parts(
        self,
        tables: Iterable[tuple[Object, Path, pa.Table, bool]],
        order: list[tuple[str, str]],
        path_of: Callable[[str], str],
        listed: Sequence[str],
    ) -> list[Object]:
        """Write what changed; small parts are held back and merged."""
        parts: list[Object] = []
        there = dict(zip(listed, self._there(listed), strict=True))
        small: list[tuple[Object, Path, pa.Table, bool]] = []

        def flush() -> None:
            if len(small) == 1:
                parts.extend(self._part(*small[0], order, path_of, there))
            elif small:
                merged = pa.concat_tables([t for _, _, t, _ in small], promote_options="permissive").sort_by(order)
                parts.append(write_part(self.target, merged, path_of))
            small.clear()

        for entry in tables:
            rows = entry[2].num_rows
            if rows >= self.recipe.small_part:
                parts.extend(self._part(*entry, order, path_of, there))
                continue
            if sum(t.num_rows for _, _, t, _ in small) + rows > self.recipe.large_part:
                flush()
            if rows:
                small.append(entry)
        flush()
        return parts

    def _part(
        self,
        part: Object,
        file: Path,
        table: pa.Table,
        same: bool,
        order: list[tuple[str, str]],
        path_of: Callable[[str], str],
        there: Mapping[str, int | None],
    ) -> list[Object]:
        if not table.num_rows:
            return []
        if not same:
            return [write_part(self.target, table.sort_by(order), path_of)]
        path = path_of(part.sha256)
        if not self._same_store and not present(self.target, path, part, there[path]):
            self.target.put_new(path, file.read_bytes())
        return [part]
