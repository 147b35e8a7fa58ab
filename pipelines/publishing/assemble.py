"""Assemble the candidate: parts of the clip and recording tables, rewritten only where a row changed."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...loaders.care.apply_tombstones import redacted_clips, redacted_recordings
from ...loaders.reading.tombstones import redacted, tombstones
from ...loaders.storage.layout import clips_path, recordings_path
from ...loaders.storage.parts import write_part
from ...loaders.storage.store import Store
from ...schemas.representation import RepresentationSpec
from ...schemas.score import Curator
from ...schemas.sql import literal, quoted
from ...schemas.tables import ALIGNED_COLUMN, CARRIED, LABEL_WORDS, clip_schema, recording_schema
from ...schemas.version import Object
from ..tables.declarations import final, known
from ..tables.remaining import counted
from ..tables.retries import passing_error, passing_score
from ..tables.state import State

ROWS_PER_PART = 200_000
"""Rows of a part at most: tens of megabytes, read and compared as one table."""


def outcome(state: State, curators: Sequence[Curator], specs: Sequence[RepresentationSpec]) -> None:
    """Table `outcome`: decisions, with kept clips whose extraction failed turned into failed ones, and how often what
    failed of a clip for reasons of the moment was tried."""
    errors = " UNION ALL ".join(
        [
            "SELECT clip, concat(reason, ': ', message) AS message FROM lost",
            *(f"SELECT clip, error AS message FROM {quoted(known(s.name))} WHERE error IS NOT NULL" for s in specs),
        ]
    )
    _tries(state, curators, specs)
    state.sql(
        f"""CREATE OR REPLACE TABLE outcome AS
        WITH errors AS (
            SELECT clip, arg_min(message, ({passing_error("message")}, message)) AS message
            FROM ({errors}) GROUP BY clip),
        lost_clips AS (
            SELECT clip, message, CASE WHEN {passing_error("message")} THEN split_part(message, ':', 1) END AS word
            FROM errors SEMI JOIN (SELECT clip FROM decided WHERE status = 'kept') USING (clip))
        SELECT d.clip, CASE WHEN e.clip IS NOT NULL THEN 'failed' ELSE status END AS status,
            CASE WHEN e.clip IS NOT NULL THEN [coalesce(word, 'extraction')] ELSE reasons END AS reasons,
            CASE WHEN word IS NOT NULL THEN substr(e.message, length(word) + 3)
                WHEN e.clip IS NOT NULL THEN e.message ELSE d.message END AS message,
            CASE WHEN e.clip IS NOT NULL THEN NULL ELSE tier END AS tier, duplicate_of, t.tries
        FROM decided d LEFT JOIN lost_clips e USING (clip) LEFT JOIN tries t USING (clip)"""
    )


def _tries(state: State, curators: Sequence[Curator], specs: Sequence[RepresentationSpec]) -> None:
    """Table `tries` (clip, tries) of clips of which something failed for reasons of the moment and is not there yet."""
    scores = [f"SELECT clip FROM {quoted(known(c.name))} WHERE {passing_score('val.reason')}" for c in curators]
    latents = [f"SELECT clip FROM {quoted(known(s.name))} WHERE {passing_error('error')}" for s in specs]
    found = ["SELECT clip, tries FROM failures", "SELECT clip, tries FROM lost"]
    for counts, still in (("score_tries", scores), ("extract_tries", latents)):
        if still:
            found.append(
                f"SELECT clip, tries FROM ({counted(counts)}) SEMI JOIN ({' UNION ALL '.join(still)}) USING (clip)"
            )
    kept = "(SELECT clip FROM decided WHERE status = 'kept')"
    found[1:2] = [f"{found[1]} SEMI JOIN {kept} USING (clip)"]
    if latents:
        found[-1] += f" SEMI JOIN {kept} USING (clip)"
    state.sql(
        f"""CREATE OR REPLACE TABLE tries AS SELECT clip, max(tries) AS tries FROM ({" UNION ALL ".join(found)})
        WHERE tries IS NOT NULL GROUP BY clip"""
    )


def clip_parts(
    state: State,
    store: Store,
    curators: Sequence[Curator],
    specs: Sequence[RepresentationSpec],
    number: int,
    carried: Sequence[str] = (),
) -> list[Object]:
    """Write the clip table of version `number`; unchanged parts of the parent are taken over as they are.

    carried: columns of the labels that go into the struct `carried`.
    """
    words = bool(state.one("SELECT bool_or(label_words IS NOT NULL) FROM clips_now"))
    aligned = bool(state.one("SELECT bool_or(aligned IS NOT NULL) FROM clips_now"))
    schema = clip_schema({c.name: c.columns for c in curators}, [s.name for s in specs], carried, words, aligned)
    old = list(zip(state.parent.document.clips, state.parent.files(), strict=True)) if state.parent else []
    _places(state, "clips", "clip", [file for _, file in old], "path, start, channel, clip")
    _in_place(state, "clip", "n", "clips_now")
    _in_place(state, "clip", "o", "outcome")
    _in_place(state, "clip", "i", "(SELECT clip, introduced FROM parent_clips)")
    joins, columns = ["JOIN {o} o USING (place)", "LEFT JOIN {i} i USING (place)"], []
    if carried:
        # a map without the key has none of it, and says so by null
        cells = ", ".join(f"{quoted(name)} := n.carried[{literal(name)}]" for name in sorted(carried))
        columns.append(f", CASE WHEN n.carried IS NOT NULL THEN struct_pack({cells}) END AS {CARRIED}")
    if words:
        columns.append(f", n.label_words AS {LABEL_WORDS}")
    if aligned:
        columns.append(f", n.aligned AS {ALIGNED_COLUMN}")
    for at, curator in enumerate(curators):
        _in_place(state, "clip", f"c{at}", quoted(known(curator.name)))
        joins.append(f"LEFT JOIN {{c{at}}} c{at} USING (place)")
        columns.append(f", c{at}.val AS {quoted(curator.name)}")
    for at, spec in enumerate(specs):
        _in_place(state, "clip", f"r{at}", quoted(final(spec.name)))
        joins.append(f"LEFT JOIN {{r{at}}} r{at} USING (place)")
        fields = ", ".join(f'"{f}" := r{at}."{f}"' for f in pa.schema(schema.field(spec.name).type).names)
        columns.append(f", CASE WHEN r{at}.clip IS NOT NULL THEN struct_pack({fields}) END AS {quoted(spec.name)}")
    query = f"""SELECT n.clip, CAST(('0x' || substr(n.clip, 1, 15)) AS BIGINT) AS clip_hash64, n."group", n.recording,
            n.source, n.path, n.channel, n.num_channels, n.sample_rate, n.start, n."end", n.duration_s, n.pcm_sha256,
            n.transcript, n.transcript_sha256, n.label_source, n.label_conflict, n.language, n.speaker,
            o.status, o.reasons, o.message, o.tier, o.duplicate_of, coalesce(i.introduced, {number}) AS introduced,
            o.tries,
            n.part, n.place{"".join(columns)}
        FROM {{n}} n {" ".join(joins)}"""
    return _parts(store, _in_order(state, query, schema), schema, old, clips_path, _hide(state, redacted_clips))


def recording_parts(state: State, store: Store) -> list[Object]:
    """Write the recording table, one row per distinct file."""
    old = (
        list(zip(state.parent.document.recordings, state.parent.recording_files(), strict=True)) if state.parent else []
    )
    _places(state, "recordings", "recording", [file for _, file in old], "recording")
    _in_place(state, "recording", "n", "recordings_now")
    schema = recording_schema(bool(state.one("SELECT bool_or(cutting IS NOT NULL) FROM recordings_now")))
    rows = _in_order(state, "SELECT * FROM {n}", schema)
    return _parts(store, rows, schema, old, recordings_path, _hide(state, redacted_recordings))


def _hide(state: State, hide: Callable[[pa.Table, pa.Array], pa.Table]) -> Callable[[pa.Table], pa.Table]:
    """What drops text and names of redacted recordings from a part: failures of any stage may have quoted them."""
    hidden = redacted(tombstones(state.store))
    return lambda table: hide(table, hidden)


def _places(state: State, what: str, key: str, old: Sequence[Path], order: str) -> None:
    """Table `places` (key, part, place): the part of the parent that a row is in, or the number of them for a row that
    is new; its place when all are sorted by part, then `order`."""
    files = pa.array([str(file) for file in old], pa.string())
    state.table("old_parts", pa.table({"part_file": files, "part": pa.array(range(len(old)), pa.int64())}))
    # by itself: a join with so small a table must not feed a larger join (see `ingest`)
    state.sql(
        f"""CREATE OR REPLACE TABLE part_of AS
        SELECT {key}, part FROM (SELECT {key}, part_file FROM parent_{what}) JOIN old_parts USING (part_file)"""
    )
    state.sql(
        f"""CREATE OR REPLACE TABLE places AS
        SELECT {key}, part, row_number() OVER (ORDER BY part, {order}) AS place
        FROM (SELECT n.*, coalesce(o.part, {len(old)}) AS part FROM {what}_now n LEFT JOIN part_of o USING ({key}))"""
    )


def _in_place(state: State, key: str, name: str, rows: str) -> None:
    """Table `placed_<name>`: the rows sorted by their place, so that a range of places is read without the others.
    Joins of such ranges take little memory; joins of a whole corpus do not, for their hash tables stand together."""
    state.sql(
        f"""CREATE OR REPLACE TABLE placed_{name} AS
        SELECT x.*, p.part, p.place FROM {rows} x JOIN places p USING ({key}) ORDER BY p.place"""
    )


def _in_order(state: State, query: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of `query`, with their `part`, in their place, slice by slice.

    query: in which `{name}` stands for the slice of `placed_<name>`.
    """
    names = ", ".join(quoted(name) for name in schema.names)
    for first in range(0, int(state.one("SELECT count(*) FROM places")), ROWS_PER_PART):
        where = f"WHERE place > {first} AND place <= {first + ROWS_PER_PART}"
        here = re.sub(r"\{(\w+)\}", rf"(SELECT * FROM placed_\1 {where})", query)
        yield from state.stream(f"SELECT {names}, part FROM ({here}) ORDER BY place")


def _parts(
    store: Store,
    rows: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    old: Sequence[tuple[Object, Path]],
    path_of: Callable[[str], str],
    hide: Callable[[pa.Table], pa.Table],
) -> list[Object]:
    parts: list[Object] = []
    for number, table in _by_part(rows, len(old)):
        found = hide(table.cast(schema))
        if number < len(old) and _same(found, old[number][1]):
            parts.append(old[number][0])
        else:
            parts.append(write_part(store, found, path_of))
        # hundreds of megabytes, which the next part would stand beside
        del table, found
        pa.default_memory_pool().release_unused()
    return parts


def _by_part(rows: Iterator[pa.RecordBatch], fresh: int) -> Iterator[tuple[int, pa.Table]]:
    """Number and rows of each part, from rows sorted by their `part`; those numbered `fresh` are cut into parts of
    `ROWS_PER_PART`."""
    held: list[pa.Table] = []
    number = count = 0
    for batch in rows:
        table = pa.Table.from_batches([batch])
        while table.num_rows:
            first = table["part"][0].as_py()
            if held and (first != number or (number == fresh and count == ROWS_PER_PART)):
                full, held, count = held, [], 0
                yield number, pa.concat_tables(full)
                full.clear()
            number = first
            size = pc.sum(pc.equal(table["part"], number)).as_py()
            if number == fresh:
                size = min(size, ROWS_PER_PART - count)
            held.append(table.slice(0, size).drop_columns("part"))
            count += size
            table = table.slice(size)
    if held:
        yield number, pa.concat_tables(held)


def _same(rows: pa.Table, file: Path) -> bool:
    if pq.read_schema(file).remove_metadata() != rows.schema.remove_metadata():
        return False
    opened, at = pq.ParquetFile(file), 0
    if opened.metadata.num_rows != rows.num_rows:
        return False
    for group in range(opened.num_row_groups):
        table = opened.read_row_group(group)
        if not table.equals(rows.slice(at, table.num_rows)):
            return False
        at += table.num_rows
    return True
