"""Speaker groups: by label, for clips without a label by voice embedding, for clips without either by recording."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...curators.voices.voice_embedding import from_bytes
from ...curators.voices.voices import group_voices
from ...loaders.reading.version import Version
from ...schemas.sql import quoted
from ..tables.declarations import known
from ..tables.state import State

KINDS = ("speaker", "voice", "recording")
"""How a group of clips was identified, best evidence first. Equal labels in two sources are one speaker."""
CURATOR, COLUMN = "voice", "voice_embedding"
SPEAKERS = pa.schema([pa.field("clip", pa.string()), pa.field("speaker", pa.string()), pa.field("kind", pa.string())])


def speaker_groups(state: State) -> None:
    """Table `speaker_groups` (`SPEAKERS`) of every live clip, from labels and the scores of this run."""
    table = known(CURATOR)
    heard = state.sql("SELECT count(*) FROM duckdb_tables() WHERE table_name = ?", [table]).fetchall()[0][0]
    voice = f"v.val.{quoted(COLUMN)}" if heard else "NULL::BLOB"
    join = f"LEFT JOIN {quoted(table)} v USING (clip)" if heard else ""
    rows = state.arrow(f"SELECT n.clip, n.recording, n.speaker, {voice} AS voice FROM clips_now n {join}")
    state.table("speaker_groups", group_by_speaker(rows))


def version_speakers(version: Version) -> pa.Table:
    """`SPEAKERS` of every clip of a published version, as the run that published it grouped them."""
    clips = version.clips(["clip", "recording", "speaker", CURATOR])
    voice = pa.nulls(clips.num_rows, pa.binary())
    if CURATOR in clips.column_names:
        voice = pc.struct_field(clips[CURATOR], COLUMN)
    return group_by_speaker(clips.select(["clip", "recording", "speaker"]).append_column("voice", voice))


def group_by_speaker(rows: pa.Table) -> pa.Table:
    """`SPEAKERS` from clip, recording, speaker and voice (bytes); depends on which rows there are, not their order."""
    nameless = rows.filter(pc.and_(pc.is_null(rows["speaker"]), pc.is_valid(rows["voice"])))
    voices = pa.table({"clip": pa.array([], pa.string()), "group": pa.array([], pa.string())})
    if nameless.num_rows:
        keys = nameless["clip"].to_pylist()
        names = group_voices(keys, np.stack([from_bytes(data) for data in nameless["voice"].to_pylist()]))
        voices = pa.table({"clip": keys, "group": [f"voice {name[:12]}" for name in names]})
    at = pc.index_in(rows["clip"], value_set=voices["clip"].combine_chunks())
    voice = voices["group"].take(at)
    kind = pc.if_else(pc.is_valid(rows["speaker"]), "speaker", pc.if_else(pc.is_valid(voice), "voice", "recording"))
    who = pc.coalesce(rows["speaker"], voice, rows["recording"])
    return pa.table([rows["clip"], who, kind], schema=SPEAKERS)


def describe_speaker_kinds(kinds: pa.ChunkedArray) -> str:
    """How groups were identified, in words: "speaker", or "speaker, else voice, else recording", as they occur."""
    found = set(pc.unique(kinds).to_pylist())
    return ", else ".join(kind for kind in KINDS if kind in found) or "recording"
