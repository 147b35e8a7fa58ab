"""Apply what was decided by hand while ingesting: takedowns, redactions, new transcripts.

What was taken down does not come back, what was redacted stays without text, and a text that a recogniser gave stays
until its source corrects its own. Steps between the tables that
`ingest.live_tables` makes; each costs nothing where there is nothing to apply.
"""

from __future__ import annotations

from ...loaders.care.relabels import relabels
from ...loaders.reading.tombstones import tombstones
from .state import State


def ban_recordings(state: State) -> None:
    """Leave files whose bytes are banned out of `aliases_now`: they count neither as read nor as failed."""
    state.table("tombstones", tombstones(state.store))
    state.sql(
        """DELETE FROM aliases_now WHERE recording IN (
            SELECT recording FROM tombstones WHERE NOT redact AND start IS NULL)"""
    )


def ban_clips(state: State) -> None:
    """Leave clips with banned samples, in whatever file, and clips that overlap a banned span out of `clip_facts`."""
    state.sql(
        """DELETE FROM clip_facts WHERE pcm_sha256 IN (
            SELECT pcm_sha256 FROM tombstones WHERE NOT redact AND pcm_sha256 IS NOT NULL)"""
    )
    state.sql(
        """DELETE FROM clip_facts WHERE clip IN (
            SELECT c.clip FROM clip_facts c JOIN tombstones t ON c.recording = t.recording AND c.channel = t.channel
                AND c.start < t."end" AND t.start < c."end" WHERE NOT t.redact)"""
    )


def relabel(state: State) -> None:
    """Give `clips_now` the accepted texts: where the source's own text is still the one that was replaced, the text
    with the highest trust, then the model that sorts first."""
    state.table("relabels", relabels(state.store))
    state.sql(
        """UPDATE clips_now SET transcript = r.new_text, transcript_sha256 = sha256(r.new_text),
            label_source = 'relabel/' || r.model
        FROM (SELECT * FROM relabels WHERE taken QUALIFY row_number() OVER (
            PARTITION BY clip, label_sha256 ORDER BY new_trust DESC, model, new_text) = 1) r
        WHERE r.clip = clips_now.clip AND r.label_sha256 = coalesce(clips_now.transcript_sha256, '')"""
    )


def redact(state: State) -> None:
    """Drop text and paths of redacted recordings from `clips_now` and `recordings_now`."""
    redacted = "recording IN (SELECT recording FROM tombstones WHERE redact)"
    state.sql(
        f"""UPDATE clips_now SET transcript = NULL, transcript_sha256 = NULL, label_source = NULL, path = NULL
        WHERE {redacted}"""
    )
    alias = "source := a.source, path := CAST(NULL AS VARCHAR), size := a.size, mtime_ns := a.mtime_ns, etag := a.etag"
    state.sql(
        f"""UPDATE recordings_now SET message = NULL, path = NULL,
            aliases = list_transform(aliases, lambda a: struct_pack({alias}))
        WHERE {redacted}"""
    )
