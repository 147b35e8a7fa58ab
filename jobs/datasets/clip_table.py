"""Clips of a version as `auricle show --clips` lists them."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...loaders.reading.filters import FilterColumn, filter_columns
from ...loaders.reading.version import Version
from ...loaders.reading.where import Where
from ...schemas.counted import counted
from ...schemas.errors import ConfigError
from ...schemas.near import did_you_mean
from ..terminal import console

SHOWN = ("clip", "status", "tier", "reasons", "duration_s", "speaker", "language", "path", "channel", "transcript")
IN_EVERY_TABLE = frozenset({*SHOWN} - {"tier", "reasons"})
"""Of these, what the table has in a column of its own; tier and reasons share one."""
TEXT = 48
"""Letters of a transcript in the table at most; `--json` has all."""
LEAST_TEXT = 16
"""Letters of a transcript that say something."""


@dataclass(frozen=True)
class Clips:
    """The first clips of a version for which a condition holds."""

    where: str | None
    total: int
    """Clips for which it holds; `clips` may be the first of them only."""
    clips: list[dict[str, Any]]
    """`SHOWN` of each, `start_s` in its recording, the columns asked for, and the columns that the condition reads."""


def clips_where(version: Version, where: str | None, limit: int, columns: Sequence[str] = ()) -> Clips:
    """The first `limit` clips for which `where` holds, in the order of the table, with their keys.

    columns: further ones, by the names that conditions have: `snr_db`, `snr_reason`, `source`.
    Raises `ConfigError` for a condition that cannot be used, and for a column that the version does not have.
    """
    files = version.files()
    newest = pq.read_schema(files[-1]) if files else pa.schema([])
    test = Where(where, newest) if where and files else None
    wanted = _named(columns, newest) if files else []
    found: list[dict[str, Any]] = []
    total = 0
    for file in files:
        names = pq.read_schema(file).names
        read = dict.fromkeys([*SHOWN, *(test.columns if test else ())])
        own = dict.fromkeys([*read, "start", "sample_rate", *(c.column for c in wanted)])
        table = pq.read_table(file, columns=[name for name in own if name in names])
        if test is not None:
            table = table.filter(test.mask(table))
        total += table.num_rows
        table = table.slice(0, limit - len(found))
        start_s = pc.divide(pc.cast(table["start"], pa.float64()), pc.cast(table["sample_rate"], pa.float64()))
        further = {c.name: _values(table, c) for c in wanted}
        shown = table.select([name for name in read if name in names]).append_column("start_s", start_s)
        for row, *values in zip(shown.to_pylist(), *further.values(), strict=True):
            found.append(row | dict(zip(further, values, strict=True)))
    return Clips(where, total, found)


def print_clips(found: Clips, columns: Sequence[str] = ()) -> None:
    """The clips, with the scores asked for, and how many more there are: a line each, or two where the terminal is too
    narrow for one. Keys are whole however narrow it is; transcripts are cut to fit."""
    columns = [name for name in dict.fromkeys(columns) if name not in IN_EVERY_TABLE]
    heads = ("clip", "status", "tier or reasons", "s", "from s", "speaker", "lang", "path", "ch", *columns)
    facts = ("duration_s", "start_s", "speaker", "language", "path", "channel", *columns)
    rows = [(row["clip"], row["status"], _verdict(row), *(row[name] for name in facts)) for row in found.clips]
    room = console.room_beside(heads, rows)
    if room >= LEAST_TEXT:
        texts = [(_short(row["transcript"], min(room, TEXT)),) for row in found.clips]
        whole = [(*row, *text) for row, text in zip(rows, texts, strict=True)]
        console.table("", (*heads, "transcript"), whole, unbroken=("clip",))
    else:
        for row in found.clips:
            _print_clip(row, columns)
    more = f"; --limit {found.total} lists all" if found.total > len(rows) else ""
    condition = f" where {found.where}" if found.where else ""
    console.say(f"{len(rows):,} of {counted(found.total, 'clip')}{condition}{more}")


def _print_clip(row: dict[str, Any], columns: Sequence[str]) -> None:
    """Two lines: what became of it; where it is, what was asked for, and as much of the text as there is room for."""
    verdict = _verdict(row)
    console.say(f"{row['clip']}  {row['status']}{f': {verdict}' if verdict else ''}")
    channel = f" ch {row['channel']}" if row["channel"] else ""
    after = f" from {console.plain(row['start_s'])} s" if row["start_s"] else ""
    said = [f"{console.plain(row['duration_s'])} s of {row['path']}{channel}{after}"]
    said += [", ".join(str(row[name]) for name in ("speaker", "language") if row[name])]
    said += [f"{name} {console.plain(row[name])}" for name in columns]
    line = console.GAP + console.GAP.join(part for part in said if part)
    room = console.out.width - len(line) - len(console.GAP)
    text = _short(row["transcript"], room) if room >= LEAST_TEXT else None
    console.say(f"{line}{console.GAP}{text}" if text else line)


def _verdict(row: dict[str, Any]) -> str:
    """The tier of a kept clip, the reasons of any other."""
    return row["tier"] or "" if row["status"] == "kept" else ", ".join(row["reasons"] or ())


def _named(names: Sequence[str], schema: pa.Schema) -> list[FilterColumn]:
    known = {column.name: column for column in filter_columns(schema)}
    for name in names:
        if name not in known:
            near = did_you_mean(name, known)
            listed = ", ".join(column.name for column in known.values() if not column.of_provenance)
            hint = near if near != "." else f". There are: {listed}"
            raise ConfigError(f"--columns: there is no column {name!r}{hint}")
    return [known[name] for name in dict.fromkeys(names)]


def _values(table: pa.Table, column: FilterColumn) -> list[Any]:
    """Of a part; nulls where it was written before the column existed."""
    if column.column not in table.column_names:
        return [None] * table.num_rows
    found = table[column.column]
    if not column.child:
        return found.to_pylist()
    fields = [field.name for field in found.type]
    return pc.struct_field(found, column.child).to_pylist() if column.child in fields else [None] * table.num_rows


def _short(text: str | None, letters: int) -> str | None:
    return text if text is None or len(text) <= letters else f"{text[: letters - 1]}…"
