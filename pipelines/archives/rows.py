"""Rows of Parquet and Arrow files that hold the bytes of recordings, as Hugging Face `datasets` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from .member import ArchiveError, Member, Unusable, safe_name

NAMED_AUDIO = frozenset({"audio", "bytes", "audio_bytes", "wav", "flac", "mp3", "opus", "content"})
"""Columns of plain bytes that are taken for audio."""
NAMES = ("path", "file_name", "filename", "file", "audio_filepath", "id", "key", "__key__", "name", "segment_id")
"""Columns that name a row, where its audio has no path of its own."""
AT_ONCE = 16
"""Rows whose audio is in memory at once."""
LISTED_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class AudioColumn:
    """Which column holds the audio."""

    name: str
    in_struct: bool
    """Whether it is a struct of `bytes` and perhaps `path`."""
    has_path: bool
    naming: str | None
    """Another column that names the row."""


def audio_column(schema: pa.Schema) -> AudioColumn | None:
    """The column with audio, None for a table without one."""
    naming = next((n for n in NAMES if n in schema.names and _is_name(schema.field(n).type)), None)
    for field in schema:
        kind = field.type
        if pa.types.is_struct(kind):
            inner = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
            if "bytes" in inner and _is_bytes(inner["bytes"]):
                return AudioColumn(field.name, True, "path" in inner, naming)
        elif _is_bytes(kind) and field.name.lower() in NAMED_AUDIO:
            return AudioColumn(field.name, False, False, naming)
    return None


class Table:
    """An open table; a place is `<row group>.<row in it>`. Rows are read in order: one further on in a group is reached
    from the one before."""

    def __init__(self, file: BinaryIO, archive: str) -> None:
        """Raises `ArchiveError` for what is no Parquet or Arrow file."""
        self._file, self.archive = file, archive
        self._parquet = archive.lower().endswith(".parquet")
        try:
            self._source = pq.ParquetFile(file) if self._parquet else None
            self.schema = self._source.schema_arrow if self._source else self._arrow().schema
            # names may be no UTF-8
            self.column = audio_column(self.schema)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ArchiveError(f"{archive}: {error}") from error
        self._at: tuple[int, int] = (-1, 0)
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._held: pa.RecordBatch | None = None

    def members(self) -> Iterator[Member | Unusable]:
        """The rows with audio, in order; sizes are the mean of a group. Raises `ArchiveError` where it is damaged."""
        if self.column is None:
            return
        try:
            yield from self._members()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ArchiveError(f"{self.archive}: {error}") from error

    def _members(self) -> Iterator[Member | Unusable]:
        seen: set[str] = set()
        row = 0
        for group, batch, mean in self._listing():
            for at, given in batch:
                name = _row_name(given, row)
                if name is None:
                    yield Unusable("has a name that leads out of the archive or is not UTF-8", str(given)[:60])
                else:
                    if name in seen:
                        folder, _, base = name.rpartition("/")
                        name = f"{folder + '/' if folder else ''}{row:08d}-{base}"
                    seen.add(name)
                    yield Member(name, mean, 0, f"{group}.{at}", is_audio=True)
                row += 1

    def cells(self, columns: list[str]) -> Iterator[dict[str, object]]:
        """Rows as dictionaries, in order, without what is not asked for."""
        if self._source is not None:
            batches: Iterator[pa.RecordBatch] = self._source.iter_batches(LISTED_AT_ONCE, columns=columns)
        else:
            batches = (batch.select(columns) for batch in self._arrow())
        for batch in batches:
            batch.validate(full=True)
            yield from batch.to_pylist()

    def read(self, place: str) -> Iterator[bytes]:
        """The audio of a row. Raises `ArchiveError` when the row has none, or the table is damaged."""
        group, _, row = place.partition(".")
        if self.column is None:
            raise ArchiveError(f"{self.archive}: it holds no audio")
        try:
            yield self._row(int(group), int(row))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ArchiveError(f"{self.archive}: row {place}: {error}") from error

    def _row(self, group: int, row: int) -> bytes:
        assert self.column is not None
        if group != self._at[0] or row < self._at[1]:
            self._at, self._held = (group, 0), None
            self._batches = self._audio(group)
        while self._held is None or row >= self._at[1] + self._held.num_rows:
            self._at = (group, self._at[1] + (self._held.num_rows if self._held is not None else 0))
            self._held = next(self._batches, None)
            if self._held is None:
                self._at = (-1, 0)
                raise ArchiveError(f"{self.archive}: it has no row {group}.{row} any more")
        held = self._held.column(self.column.name)
        value = (held.field("bytes") if self.column.in_struct else held)[row - self._at[1]].as_py()
        if value is None:
            raise ArchiveError(f"{self.archive}: row {group}.{row} holds no bytes, only a name")
        return value

    def _audio(self, group: int) -> Iterator[pa.RecordBatch]:
        assert self.column is not None
        if self._source is not None:
            return self._source.iter_batches(AT_ONCE, row_groups=[group], columns=[self.column.name])
        return iter(self._arrow())

    def _listing(self) -> Iterator[tuple[int, list[tuple[int, object]], int]]:
        """(row group, (row in it, its given name) of some rows, mean bytes of a row)."""
        assert self.column is not None
        path = f"{self.column.name}.path" if self.column.has_path else None
        columns = [c for c in (path, self.column.naming) if c]
        if self._source is None:
            at = 0
            for batch in self._arrow():
                names = self._given(batch)
                held = batch.column(self.column.name)
                total = held.get_total_buffer_size()
                yield 0, [(at + k, n) for k, n in enumerate(names)], total // max(1, batch.num_rows)
                at += batch.num_rows
            return
        for group in range(self._source.num_row_groups):
            facts = self._source.metadata.row_group(group)
            mean = facts.total_byte_size // max(1, facts.num_rows)
            if not columns:
                yield group, [(k, None) for k in range(facts.num_rows)], mean
                continue
            at = 0
            for batch in self._source.iter_batches(LISTED_AT_ONCE, row_groups=[group], columns=columns):
                yield group, [(at + k, n) for k, n in enumerate(self._given(batch))], mean
                at += batch.num_rows

    def _given(self, batch: pa.RecordBatch) -> list[object]:
        """The name of each row, as the table gives it."""
        assert self.column is not None
        first = (
            batch.column(self.column.name).field("path").to_pylist()
            if self.column.has_path
            else [None] * batch.num_rows
        )
        if self.column.naming is None:
            return first
        second = batch.column(self.column.naming).to_pylist()
        return [a or b for a, b in zip(first, second, strict=True)]

    def _arrow(self) -> _Batches:
        self._file.seek(0)
        if self._file.read(6) == b"ARROW1":
            return _Batches(pyarrow.ipc.open_file(self._file))
        self._file.seek(0)
        return _Batches(pyarrow.ipc.open_stream(self._file))


class _Batches:
    """Batches of an Arrow stream, or of a file with a footer. The format is read without a check: offsets that lead
    nowhere would be followed."""

    def __init__(self, reader: pyarrow.ipc.RecordBatchFileReader | pyarrow.ipc.RecordBatchStreamReader) -> None:
        self._reader, self.schema = reader, reader.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if isinstance(self._reader, pyarrow.ipc.RecordBatchFileReader):
            batches = (self._reader.get_batch(k) for k in range(self._reader.num_record_batches))
        else:
            batches = iter(self._reader)
        for batch in batches:
            batch.validate(full=True)
            yield batch


def _row_name(given: object, row: int) -> str | None:
    """The name of a row's recording; of a path that leads elsewhere, its last part."""
    if given is None or not str(given).strip():
        return f"{row:08d}"
    text = str(given).strip()
    return safe_name(text) or safe_name(PurePosixPath(text.replace("\\", "/")).name)


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)


def _is_name(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)
