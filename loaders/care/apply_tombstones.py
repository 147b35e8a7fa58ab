"""Applying tombstones: a version without the rows that they ban, and without the text and paths that they redact."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from ...schemas.score import SKIPPED
from ...schemas.tables import ALIGNED_COLUMN, CARRIED, LABEL_WORDS
from ..reading.tombstones import banned, redacted, whole_recordings
from ..reading.version import Version
from ..storage.parts import read_columns
from .rewrite import Recipe, Rows
from .spans import Spans

SPAN_COLUMNS = ("recording", "channel", "start", "end", "pcm_sha256")
FREE_TEXT = ("reason", "error")
"""Fields of what curators and codecs say of a clip that begin with the kind of a failure and go on as they like."""
HIDDEN = "redacted"
TEXT_COLUMNS = (
    "transcript",
    "transcript_sha256",
    "label_source",
    "path",
    "message",
    CARRIED,
    LABEL_WORDS,
    ALIGNED_COLUMN,
)


def tombstone_rewrite(
    version: Version, stones: pa.Table, tainted: Collection[str] = (), shard_bytes: int = 64 << 20
) -> Recipe:
    """How to rewrite `version` so that `stones` are applied (`tombstones.TOMBSTONES`).

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


def tombstones_applied(version: Version, stones: pa.Table) -> bool:
    """Whether a version holds no row that is banned, and no text or path that is redacted."""
    if not stones.num_rows:
        return True
    gone = pc.unique(pa.chunked_array([whole_recordings(stones)]))
    held = (read_columns(file, ["recording"])["recording"] for file in version.recording_files())
    if any(pc.any(pc.is_in(recordings, value_set=gone)).as_py() for recordings in held):
        return False
    columns = [*SPAN_COLUMNS, "path", "transcript"]
    return not any(breaks_tombstones(read_columns(file, columns), stones) for file in version.files())


def breaks_tombstones(clips: pa.Table, stones: pa.Table) -> bool:
    """Whether a part of the clip table holds a row that is banned, or text or a path that is redacted."""
    if pc.any(banned_clips(clips, stones)).as_py():
        return True
    hidden = pc.is_in(clips["recording"], value_set=redacted(stones))
    shown = pc.or_(pc.is_valid(clips["path"]), pc.is_valid(clips["transcript"]))
    return bool(pc.any(pc.and_(hidden, shown)).as_py())


def banned_clips(clips: pa.Table, stones: pa.Table) -> pa.ChunkedArray:
    """Boolean per row of a clip table (`SPAN_COLUMNS`): a tombstone bans it."""
    return Ban(stones)(clips)


class Ban:
    """What tombstones ban, made ready once for many tables."""

    def __init__(self, stones: pa.Table) -> None:
        rows = banned(stones)
        self._whole = whole_recordings(stones)
        self._samples = pc.unique(rows["pcm_sha256"].drop_null())
        self._spans = Spans(rows.filter(pc.is_valid(rows["start"])).to_pylist())

    def __call__(self, clips: pa.Table) -> pa.ChunkedArray:
        """Boolean per row of a clip table (`SPAN_COLUMNS`)."""
        hit = pc.or_(
            pc.is_in(clips["recording"], value_set=self._whole),
            pc.is_in(clips["pcm_sha256"], value_set=self._samples),
        )
        return pc.or_(hit, self._spans.overlap(clips))


def redacted_clips(table: pa.Table, hidden: pa.Array, readers: Collection[str] = ()) -> pa.Table:
    """The part with text, paths and what curators made of text set to null for clips of `hidden` recordings, and the
    free text of failures (which names files) cut to its first word, the kind of failure."""
    hit = pc.is_in(table["recording"], value_set=hidden)
    if not pc.any(hit).as_py():
        return table
    for name in (*TEXT_COLUMNS, *readers):
        if name in table.column_names:
            table = _nulled(table, name, hit)
    for field in table.schema:
        if pa.types.is_struct(field.type) and field.name not in readers:
            table = _without_free_text(table, field, hit)
    return table


def _without_free_text(table: pa.Table, field: pa.Field, hit: pa.ChunkedArray) -> pa.Table:
    names = [child.name for child in field.type.fields]
    flat = table[field.name].combine_chunks()
    children = [flat.field(i) for i in range(len(names))]
    for name in FREE_TEXT:
        if name in names:
            value = children[names.index(name)]
            # a score that a rule made needless says the rule, not the clip
            told = pc.and_(hit.combine_chunks(), pc.invert(pc.starts_with(value, SKIPPED)))
            short = pc.binary_join_element_wise(
                pc.list_element(pc.split_pattern(value, ":", max_splits=1), 0), HIDDEN, ": "
            )
            children[names.index(name)] = pc.if_else(pc.fill_null(told, False), short, value)
    column = pa.StructArray.from_arrays(children, fields=list(field.type.fields), mask=pc.is_null(flat))
    return table.set_column(table.column_names.index(field.name), field, column)


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
