"""Obeying tombstones: a version without the rows that they ban, and without the text and paths that they redact."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from ..reading.tombstones import banned, redacted, whole_recordings
from ..reading.version import Version
from ..storage.parts import read_columns
from .rewrite import Recipe, Rows

SPAN_COLUMNS = ("recording", "channel", "start", "end", "pcm_sha256")
TEXT_COLUMNS = ("transcript", "transcript_sha256", "label_source", "path", "message")


def obeying(version: Version, stones: pa.Table, tainted: Collection[str] = (), shard_bytes: int = 64 << 20) -> Recipe:
    """How to rewrite `version` so that it obeys `stones` (`tombstones.TOMBSTONES`).

    tainted: shards that must go, their other samples packed anew; else banned samples stay in them, dead.
    """
    whole, hidden = whole_recordings(stones), redacted(stones)
    # what a curator made of the transcript may quote it
    readers = [name for name, entry in version.document.curators.items() if "transcript" in entry.inputs]

    def recordings(table: pa.Table) -> pa.Table:
        return redacted_recordings(table.filter(pc.invert(pc.is_in(table["recording"], value_set=whole))), hidden)

    return Recipe(
        representations=tuple(version.document.representations),
        stays=lambda shard, wanted: shard.sha256 not in tainted,
        shard_bytes=shard_bytes,
        rows=Rows(SPAN_COLUMNS, lambda table: pc.invert(banned_clips(table, stones))),
        edit=lambda table: redacted_clips(table, hidden, readers),
        recordings=recordings,
    )


def obeys(version: Version, stones: pa.Table) -> bool:
    """Whether no row of a version is banned, and no text or path in it redacted."""
    if not stones.num_rows:
        return True
    gone = pc.unique(pa.chunked_array([whole_recordings(stones)]))
    held = (read_columns(file, ["recording"])["recording"] for file in version.recording_files())
    if any(pc.any(pc.is_in(recordings, value_set=gone)).as_py() for recordings in held):
        return False
    columns = [*SPAN_COLUMNS, "path", "transcript"]
    return not any(disobeys(read_columns(file, columns), stones) for file in version.files())


def disobeys(clips: pa.Table, stones: pa.Table) -> bool:
    """Whether a part of the clip table holds a row that is banned, or text or a path that is redacted."""
    if pc.any(banned_clips(clips, stones)).as_py():
        return True
    hidden = pc.is_in(clips["recording"], value_set=redacted(stones))
    shown = pc.or_(pc.is_valid(clips["path"]), pc.is_valid(clips["transcript"]))
    return bool(pc.any(pc.and_(hidden, shown)).as_py())


def banned_clips(clips: pa.Table, stones: pa.Table) -> pa.ChunkedArray:
    """Boolean per row of a clip table (`SPAN_COLUMNS`): a tombstone bans it."""
    rows = banned(stones)
    samples = pc.unique(rows["pcm_sha256"].drop_null())
    hit = pc.or_(
        pc.is_in(clips["recording"], value_set=whole_recordings(stones)),
        pc.is_in(clips["pcm_sha256"], value_set=samples),
    )
    return pc.or_(hit, overlapping(clips, rows.filter(pc.is_valid(rows["start"]))))


def overlapping(clips: pa.Table, spans: pa.Table) -> pa.ChunkedArray:
    """Boolean per row of `clips`: some of its samples are in one of `spans` (recording, channel, start, end)."""
    near = pc.is_in(clips["recording"], value_set=pc.unique(spans["recording"]))
    places = pc.indices_nonzero(near).to_pylist()
    by_channel: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for row in spans.select(["recording", "channel", "start", "end"]).to_pylist() if places else ():
        by_channel.setdefault((row["recording"], row["channel"]), []).append((row["start"], row["end"]))
    rows = clips.select(["recording", "channel", "start", "end"]).take(pa.array(places, pa.int64())).to_pylist()
    hits = [
        place
        for place, row in zip(places, rows, strict=True)
        if any(
            row["start"] < end and start < row["end"]
            for start, end in by_channel.get((row["recording"], row["channel"]), ())
        )
    ]
    numbers = pa.array(range(clips.num_rows), pa.int64())
    return pa.chunked_array([pc.is_in(numbers, value_set=pa.array(hits, pa.int64()))])


def redacted_clips(table: pa.Table, hidden: pa.Array, readers: Collection[str]) -> pa.Table:
    """The part with text, paths and what curators made of text set to null for clips of `hidden` recordings."""
    hit = pc.is_in(table["recording"], value_set=hidden)
    for name in (*TEXT_COLUMNS, *readers):
        if name in table.column_names:
            table = _nulled(table, name, hit)
    return table


def redacted_recordings(table: pa.Table, hidden: pa.Array) -> pa.Table:
    """The part of the recording table with paths and messages of `hidden` recordings set to null."""
    hit = pc.is_in(table["recording"], value_set=hidden)
    if not pc.any(hit).as_py():
        return table
    rows = table["aliases"].to_pylist()
    aliases = [
        [alias | {"path": None} for alias in row] if hide and row else row
        for row, hide in zip(rows, hit.to_pylist(), strict=True)
    ]
    at = table.column_names.index("aliases")
    table = table.set_column(at, table.schema.field("aliases"), pa.array(aliases, table.schema.field("aliases").type))
    return _nulled(table, "message", hit)


def _nulled(table: pa.Table, name: str, hit: pa.ChunkedArray) -> pa.Table:
    field = table.schema.field(name)
    if pa.types.is_struct(field.type):
        # choosing between structs would turn null rows into rows of nulls
        flat = table[name].combine_chunks()
        gone = pc.or_(pc.is_null(flat), hit.combine_chunks())
        children = [flat.field(i) for i in range(field.type.num_fields)]
        values = pa.StructArray.from_arrays(children, fields=list(field.type.fields), mask=gone)
    else:
        values = pc.if_else(hit, pa.scalar(None, field.type), table[name])
    return table.set_column(table.column_names.index(name), field, values)
