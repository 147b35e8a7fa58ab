"""Ingest: from files and labels to the live recordings and clips, as tables.

files ──known by size and time──▶ recordings ──▶ clips ──▶ labels
      └─new─▶ probe pass ─────────┘
"""

from __future__ import annotations

from functools import partial

from ...loaders.storage.store import Store
from ...schemas.config import RunConfig
from ...schemas.sources import uri_prefix
from ...schemas.sql import literal
from ..passes.probe import PROBE_SCHEMA, ProbeRecipe, segmentation_fingerprint
from ..work.work_units import receipt_files
from . import overrides
from .labels import LABELS, read_labels
from .listing import FILES, list_sources
from .state import State

TRANSIENT = ("missing", "changed_while_read", "unreadable")
"""Reasons of failure that the next run looks at again."""


def load_sources(state: State, config: RunConfig, *, paranoid: bool = False, retry_failed: bool = False) -> list[str]:
    """Tables `files`, `labels`, `sources`, and `probe_items` for what has to be opened; returns notices.

    A file is known when its source, path, size, time and etag are those of an alias of the parent version that was
    cut the same way; with `paranoid` every file is read and hashed again, with `retry_failed` every one
    that failed.
    """
    notices: list[str] = []
    state.fill("files_listed", FILES, list_sources(config.sources, notices))
    paths = partial(state.arrow, "SELECT source, path FROM files_listed")
    state.fill("labels", LABELS, read_labels(config.sources, paths, notices))
    notices += _labels_of_nothing(state)
    _sources(state, config)
    state.sliced(
        "spans",
        """SELECT source, path,
            list(struct_pack(start_s := start_s, duration_s := duration_s) ORDER BY start_s, duration_s) AS spans
        FROM (SELECT DISTINCT source, path, start_s, duration_s FROM labels
            WHERE start_s IS NOT NULL AND in_slice(path))
        GROUP BY source, path""",
        int(state.one("SELECT count(*) FROM labels WHERE start_s IS NOT NULL")),
    )
    cut = segmentation_fingerprint(config.segment)
    spans_cut = "spans-whole-" if config.segment.truncated == "fail" else "spans-cut-"
    state.sql(
        f"""CREATE OR REPLACE TABLE files AS
        SELECT f.*, s.spans,
            CASE WHEN s.spans IS NULL THEN {literal(cut)} ELSE {literal(spans_cut)} || md5(CAST(s.spans AS VARCHAR)) END
                AS segmentation
        FROM files_listed f LEFT JOIN spans s USING (source, path)"""
    )
    state.sql(
        """CREATE OR REPLACE TABLE parent_aliases AS
        SELECT recording, segmentation, status, reason, unnest(aliases, recursive := true) FROM parent_recordings"""
    )
    transient = ", ".join(literal(reason) for reason in TRANSIENT)
    state.sql(
        f"""CREATE OR REPLACE TABLE known_files AS
        SELECT f.source, f.path, a.recording FROM files f JOIN parent_aliases a USING (source, path)
        WHERE {"FALSE" if paranoid else "TRUE"} AND f.size = a.size AND f.mtime_ns = a.mtime_ns
            AND f.etag IS NOT DISTINCT FROM a.etag AND (f.segmentation = a.segmentation)
            AND (a.status = 'decoded' OR ({"FALSE" if retry_failed else "TRUE"} AND a.reason NOT IN ({transient})))"""
    )
    state.sql(
        """CREATE OR REPLACE TABLE probe_keys AS
        SELECT *, substr(sha256(
            concat_ws(chr(31), source, path, size, mtime_ns, coalesce(etag, ''), segmentation)), 1, 32) AS key
        FROM files ANTI JOIN known_files USING (source, path)"""
    )
    return notices


def plan_probe(state: State, store: Store, runs: list[str], recipe: ProbeRecipe, config: RunConfig) -> None:
    """Table `probe_rows` of what is known of new files, and `probe_items` with units for the rest."""
    state.receipts("probe_receipts", receipt_files(store, runs, recipe), PROBE_SCHEMA)
    state.sql(
        """CREATE OR REPLACE TABLE probe_rows AS
        SELECT k.source, k.path, k.segmentation, r.* EXCLUDE (part_file)
            -- a file that killed or hung its worker was never hashed, and still needs a name in the ledger
            REPLACE (coalesce(r.recording, 'unreadable-' || md5(k.uri)) AS recording) FROM probe_keys k JOIN (
            SELECT * FROM probe_receipts QUALIFY row_number() OVER (PARTITION BY key ORDER BY part_file) = 1
        ) r USING (key)"""
    )
    w = config.workers
    state.sql(
        f"""CREATE OR REPLACE TABLE probe_items AS
        SELECT CAST(floor(greatest((sum(size) OVER win - size) / {w.unit_bytes},
                (row_number() OVER win - 1) / {w.unit_clips})) AS BIGINT) AS unit,
            row_number() OVER win AS place, key, uri, size, mtime_ns, spans
        FROM probe_keys ANTI JOIN probe_rows USING (key)
        WINDOW win AS (ORDER BY source_rank, path ROWS UNBOUNDED PRECEDING)"""
    )


def live_tables(state: State, config: RunConfig) -> None:
    """Tables `recordings_now` and `clips_now`: what is live after this listing, labels joined."""
    retire = ", ".join(literal(s.name) for s in config.sources if s.missing == "retire") or "''"
    state.sql(
        f"""CREATE OR REPLACE TABLE aliases_now AS
        SELECT f.source, f.source_rank, f.path, f.uri, f.size, f.mtime_ns, f.etag, f.segmentation,
            coalesce(k.recording, p.recording) AS recording, p.key IS NOT NULL AS probed
        FROM files f LEFT JOIN known_files k USING (source, path) LEFT JOIN probe_rows p USING (source, path)
        WHERE coalesce(k.recording, p.recording) IS NOT NULL
        UNION ALL
        SELECT a.source, s.source_rank, a.path, s.prefix || a.path, a.size, a.mtime_ns, a.etag, a.segmentation,
            a.recording, FALSE
        FROM parent_aliases a JOIN sources s USING (source) ANTI JOIN files f USING (source, path)
        WHERE a.source NOT IN ({retire})"""
    )
    overrides.ban_recordings(state)
    state.sliced(
        "recording_paths",
        """SELECT recording,
            list(struct_pack(source, path, size, mtime_ns, etag) ORDER BY source_rank, path) AS aliases,
            arg_min(uri, (source_rank, path)) AS uri, arg_min(source, (source_rank, path)) AS source,
            arg_min(path, (source_rank, path)) AS path, min(source_rank) AS source_rank,
            arg_min(size, (source_rank, path)) AS size
        FROM aliases_now WHERE in_slice(recording) GROUP BY recording""",
        int(state.one("SELECT count(*) FROM aliases_now")),
    )
    state.sql(
        """CREATE OR REPLACE TABLE recordings_now AS
        WITH facts AS (
            SELECT recording, format, sample_rate, num_channels, num_samples, segmentation,
                CASE WHEN error_reason IS NULL THEN 'decoded' ELSE 'failed' END AS status,
                error_reason AS reason, error_message AS message, 0 AS age
            FROM probe_rows
            UNION ALL
            SELECT recording, format, sample_rate, num_channels, num_samples, segmentation, status, reason, message, 1
            FROM parent_recordings
        ), chosen AS (SELECT * FROM facts QUALIFY row_number() OVER (
            PARTITION BY recording ORDER BY age, segmentation, message) = 1)
        SELECT * FROM chosen JOIN recording_paths USING (recording)"""
    )
    state.sql("DROP TABLE recording_paths")
    state.sql(
        """CREATE OR REPLACE TABLE clip_facts AS
        WITH once AS (
            SELECT key FROM probe_rows WHERE error_reason IS NULL
            QUALIFY row_number() OVER (PARTITION BY recording, segmentation ORDER BY key) = 1),
        cut AS (
            SELECT recording, segmentation, unnest(clips, recursive := true)
            FROM probe_rows SEMI JOIN once USING (key))
        SELECT c.clip, c.group, c.recording, c.channel, c.start, c.end, c.pcm_sha256
        FROM cut c JOIN recordings_now r USING (recording, segmentation)"""
    )
    state.sql(
        """INSERT INTO clip_facts
        SELECT p.clip, p.group, p.recording, p.channel, p.start, p.end, p.pcm_sha256
        FROM parent_clips p JOIN recordings_now r USING (recording)
        JOIN parent_recordings q ON q.recording = p.recording AND q.segmentation = r.segmentation
        ANTI JOIN clip_facts c ON c.clip = p.clip
        WHERE r.status = 'decoded'"""
    )
    overrides.ban_clips(state)
    _labelled(state)
    overrides.relabel(state)
    overrides.redact(state)


def _labels_of_nothing(state: State) -> list[str]:
    """A line per source whose label files name recordings that are not there: most often a wrong folder."""
    rows = state.sql(
        """SELECT source, count(*) FILTER (f.path IS NULL), count(*), min(l.path) FILTER (f.path IS NULL)
        FROM (SELECT DISTINCT source, path FROM labels) l LEFT JOIN files_listed f USING (source, path)
        GROUP BY source HAVING count(*) FILTER (f.path IS NULL) > 0 ORDER BY source"""
    ).fetchall()
    return [
        f"source {source!r}: {absent:,} of {named:,} recordings that its labels name are not there, for example {path}"
        for source, absent, named, path in rows
    ]


def _sources(state: State, config: RunConfig) -> None:
    state.sql(
        "CREATE OR REPLACE TABLE sources "
        "(source VARCHAR, source_rank INTEGER, prefix VARCHAR, language VARCHAR, speaker VARCHAR)"
    )
    for rank, source in enumerate(config.sources):
        row = (source.name, rank, uri_prefix(source.path), source.language, source.speaker)
        state.sql("INSERT INTO sources VALUES (?, ?, ?, ?, ?)", row)


def _labelled(state: State) -> None:
    """`clips_now`: of all labels of a clip's aliases the first with text, by source order then path, is chosen;
    labels that disagree about the text are flagged."""
    state.sql(
        """CREATE OR REPLACE TABLE label_candidates AS
        SELECT c.clip, a.source, a.source_rank, a.path, l.transcript, l.language, l.speaker,
            CASE WHEN l.label_file IS NOT NULL THEN a.source || '/' || a.path END AS label_source
        FROM clip_facts c JOIN aliases_now a ON a.recording = c.recording
        JOIN recordings_now r ON r.recording = c.recording
        LEFT JOIN labels l ON l.source = a.source AND l.path = a.path
            AND (l.start_s IS NULL OR abs(l.start_s * r.sample_rate - c.start) < 1)
            AND (l.channel IS NULL OR l.channel = c.channel)"""
    )
    state.sliced(
        "clip_labels",
        """SELECT clip, arg_min(transcript, (transcript IS NULL, source_rank, path, transcript)) AS transcript,
            arg_min(language, (transcript IS NULL, source_rank, path, transcript)) AS language,
            arg_min(speaker, (transcript IS NULL, source_rank, path, transcript)) AS speaker,
            arg_min(label_source, (transcript IS NULL, source_rank, path, transcript)) AS label_source,
            count(DISTINCT transcript) > 1 AS label_conflict
        FROM (SELECT c.* REPLACE (
                coalesce(c.language, s.language) AS language, coalesce(c.speaker, s.speaker) AS speaker)
            -- a join with so small a table must not feed a larger join: DuckDB 2.0 fails when that one spills
            FROM label_candidates c JOIN sources s USING (source) WHERE in_slice(clip))
        GROUP BY clip""",
        int(state.one("SELECT count(*) FROM label_candidates")),
    )
    state.sql("DROP TABLE label_candidates")
    state.sql(
        """CREATE OR REPLACE TABLE clips_now AS
        SELECT f.clip, f.group, f.recording, r.source, r.source_rank, r.path, r.uri, f.channel, r.num_channels,
            r.sample_rate, f.start, f.end, (f.end - f.start) / r.sample_rate AS duration_s, f.pcm_sha256,
            l.transcript, sha256(l.transcript) AS transcript_sha256, l.label_source,
            coalesce(l.label_conflict, FALSE) AS label_conflict, l.language, l.speaker
        FROM clip_facts f JOIN recordings_now r USING (recording) LEFT JOIN clip_labels l USING (clip)"""
    )
