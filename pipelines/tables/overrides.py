"""Apply what was decided by hand while ingesting: takedowns, redactions, new transcripts.

What was taken down does not come back, what was redacted stays without text, and a text that a recogniser gave stays
until its source corrects its own. What a tombstone means is said in one place, `loaders/care/apply_tombstones.py`,
which takedown, rollback and runs share. Steps between the tables that `ingest.live_tables` makes; each costs nothing
where there is nothing to apply.
"""

from __future__ import annotations

import pyarrow as pa

from ...loaders.care.apply_tombstones import SPAN_COLUMNS, TEXT_COLUMNS, Ban
from ...loaders.care.relabels import relabels
from ...loaders.reading.tombstones import redacted, tombstones, whole_recordings
from ...schemas.sql import quoted
from .state import State

ROWS_AT_ONCE = 1 << 17
"""Clips that are held against the tombstones together."""


def ban_recordings(state: State) -> None:
    """Leave files whose bytes are banned out of `aliases_now`: they count neither as read nor as failed."""
    stones = tombstones(state.store)
    state.table("banned_recordings", pa.table({"recording": whole_recordings(stones)}))
    state.sql("DELETE FROM aliases_now WHERE recording IN (SELECT recording FROM banned_recordings)")


def ban_clips(state: State) -> None:
    """Leave clips with banned samples, in whatever file, and clips that overlap a banned span out of `clip_facts`."""
    stones = tombstones(state.store)
    if not stones.num_rows:
        return
    ban, found = Ban(stones), [pa.array([], pa.string())]
    for batch in state.stream(f"SELECT clip, {', '.join(map(quoted, SPAN_COLUMNS))} FROM clip_facts", ROWS_AT_ONCE):
        table = pa.Table.from_batches([batch])
        found += table.filter(ban(table))["clip"].chunks
    state.table("banned_clips", pa.table({"clip": pa.chunked_array(found, pa.string())}))
    state.sql("DELETE FROM clip_facts WHERE clip IN (SELECT clip FROM banned_clips)")


def relabel(state: State) -> None:
    """Give `clips_now` the accepted texts: where the source's own text is still the one that was replaced, the text
    with the highest trust, then the model that sorts first."""
    state.table("relabels", relabels(state.store))
    state.sql(
        """UPDATE clips_now SET transcript = r.new_text, transcript_sha256 = sha256(r.new_text),
            label_source = 'relabel/' || r.model, label_words = NULL
        FROM (SELECT * FROM relabels WHERE taken QUALIFY row_number() OVER (
            PARTITION BY clip, label_sha256 ORDER BY new_trust DESC, model, new_text) = 1) r
        WHERE r.clip = clips_now.clip AND r.label_sha256 = coalesce(clips_now.transcript_sha256, '')"""
    )


def redact(state: State) -> None:
    """Drop text and paths of redacted recordings from `clips_now` and `recordings_now`, so that nothing reads them.

    Free text that later stages give is dropped when the tables are written (`publishing/assemble.py`).
    """
    state.table("redacted", pa.table({"recording": redacted(tombstones(state.store))}))
    here = "WHERE recording IN (SELECT recording FROM redacted)"
    columns = [name for name in TEXT_COLUMNS if name in state.columns("clips_now")]
    state.sql(f"UPDATE clips_now SET {', '.join(f'{quoted(name)} = NULL' for name in columns)} {here}")
    alias = "source := a.source, path := CAST(NULL AS VARCHAR), size := a.size, mtime_ns := a.mtime_ns, etag := a.etag"
    state.sql(
        f"""UPDATE recordings_now SET message = NULL, path = NULL,
            aliases = list_transform(aliases, lambda a: struct_pack({alias})) {here}"""
    )
