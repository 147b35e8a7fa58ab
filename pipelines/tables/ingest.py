"""Ingest: from files and labels to the live recordings and clips, as tables.

files ──known by size and time──▶ recordings ──▶ clips ──▶ labels
      └─new─▶ probe pass ─────────┘
"""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from ...loaders.storage.store import Store
from ...schemas.config import RunConfig
from ...schemas.counted import counted
from ...schemas.sources import PLACE, from_version, is_list, uri_prefix
from ...schemas.sql import listed, literal
from ...schemas.tables import ALIGNED, ALIGNED_COLUMN, CUTTING, CUTTING_COLUMN
from ..listing.contents import Lister, by_processes, here_first
from ..listing.files import FILES, archives_of, left_out, own_files
from ..passes.probe import ProbeRecipe, segmentation_fingerprint
from ..sources.looking import UNANSWERED
from ..work.work_units import receipt_files
from . import label_lines, overrides, requirements
from .cues import cues, said_in_clips
from .remembered import members_of_archives
from .retries import left, passing
from .source_labels import take_labels
from .state import State

DECIDING = "whole, source_rank, path"
"""Of the files with the bytes of one recording the first in this order says how it is cut: one whose labels name spans
before one whose do not, then sources as they are configured, then the path. A function of the files and labels there
are, whenever each arrived."""


def load_sources(
    state: State,
    config: RunConfig,
    *,
    paranoid: bool = False,
    retry_failed: bool = False,
    lister: Lister = partial(here_first, others=by_processes),
) -> list[str]:
    """Tables `files`, `labels`, `sources`, and `probe_items` for what has to be opened; returns notices.

    With `paranoid` every file is read and hashed again, with `retry_failed` every one that failed. lister: lists the
    archives that are not known.
    """
    notices: list[str] = []
    archives = archives_of(config.sources)
    state.fill("files_listed", FILES, own_files(archives, notices))
    state.sql(
        """CREATE OR REPLACE TABLE parent_aliases AS
        SELECT recording, segmentation, status, reason, tries, unnest(aliases, recursive := true)
        FROM parent_recordings"""
    )
    members_of_archives(state, archives, lister, paranoid=paranoid)
    notices += left_out(archives)
    notices += _settle_lists(state, config)
    notices += take_labels(state, config)
    requirements.refuse_absent(state, config)
    _sources(state, config)
    (cues if config.segment.method == "speech" else _spans)(state)
    cut_by = _cut_by(config)
    state.sql(
        f"""CREATE OR REPLACE TABLE files AS
        SELECT f.*, s.spans, {cut_by} AS segmentation
        FROM files_listed f LEFT JOIN spans s USING (source, path)"""
    )
    _known_files(state, config, cut_by, paranoid, retry_failed)
    state.sql(
        """CREATE OR REPLACE TABLE probe_keys AS
        SELECT *, substr(sha256(
            concat_ws(chr(31), source, path, size, mtime_ns, coalesce(etag, ''), segmentation)), 1, 32) AS key
        FROM files ANTI JOIN known_files USING (source, path)"""
    )
    return notices


def _settle_lists(state: State, config: RunConfig) -> list[str]:
    """What lists name twice is listed once. What they name and nobody can look at now is as it was known; so is what is
    gone from a source that keeps what is gone."""
    lists = listed(source.name for source in config.sources if is_list(source.path) or from_version(source.path))
    twice = state.sql(
        f"""SELECT source, count(*) - count(DISTINCT path) AS more FROM files_listed
        WHERE list_contains({lists}, source) GROUP BY source HAVING more > 0 ORDER BY source"""
    ).fetchall()
    if twice:
        state.sql(
            f"""DELETE FROM files_listed WHERE list_contains({lists}, source) AND rowid NOT IN (
                SELECT min(rowid) FROM files_listed WHERE list_contains({lists}, source) GROUP BY source, path)"""
        )
    keeping = listed(source.name for source in config.sources if source.missing == "keep")
    state.sql(
        f"""UPDATE files_listed SET size = a.size, mtime_ns = a.mtime_ns, etag = a.etag, absent = NULL
        FROM parent_aliases a WHERE a.source = files_listed.source AND a.path = files_listed.path
            AND a.status = 'decoded' AND files_listed.absent IS NOT NULL
            AND (files_listed.absent = {literal(UNANSWERED)} OR list_contains({keeping}, files_listed.source))"""
    )
    named = {source.name for source in config.sources if is_list(source.path)}
    return [
        f"source {source!r}: {counted(more, 'line names', 'lines name')} a file that another line names"
        for source, more in twice
        if source in named
    ]


def _spans(state: State) -> None:
    """Table `spans` (source, path, spans): where labels say that a file is cut."""
    state.sliced(
        "spans",
        """SELECT source, path,
            list(struct_pack(start_s := start_s, duration_s := duration_s) ORDER BY start_s, duration_s) AS spans
        FROM (SELECT DISTINCT source, path, start_s, duration_s FROM labels
            WHERE start_s IS NOT NULL AND in_slice(path))
        GROUP BY source, path""",
        int(state.one("SELECT count(*) FROM labels WHERE start_s IS NOT NULL")),
    )


def _cut_by(config: RunConfig) -> str:
    """SQL of how a file is cut, from its `s.spans`."""
    cut = segmentation_fingerprint(config.segment)
    if config.segment.method == "speech":
        return f"CASE WHEN s.spans IS NULL THEN {literal(cut)} ELSE {literal(f'{cut}-')} || md5(s.spans::VARCHAR) END"
    spans = "spans-whole-2-" if config.segment.truncated == "fail" else "spans-cut-"
    return f"CASE WHEN s.spans IS NULL THEN {literal(cut)} ELSE {literal(spans)} || md5(CAST(s.spans AS VARCHAR)) END"


def _known_files(state: State, config: RunConfig, cut_by: str, paranoid: bool, retry_failed: bool) -> None:
    """Table `known_files` (source, path, recording): files that need not be opened.

    The bytes of a file are known when its source, path, size, time and etag are those of an alias of the parent.
    Of the files with a recording's bytes one says how it is cut (`DECIDING`): it alone is opened again where the parent
    has it cut in another way, or failed and to be tried again.
    """
    again = "TRUE" if retry_failed else f"{passing('a.reason')} AND {left('a.tries')}"
    state.sql(
        f"""CREATE OR REPLACE TABLE same_files AS
        SELECT f.source, f.path, f.source_rank, f.spans IS NULL AS whole, a.recording, TRUE AS here,
            f.segmentation = a.segmentation AND (a.status = 'decoded' OR NOT ({again})) AS settled
        FROM files f JOIN parent_aliases a USING (source, path)
        WHERE {"FALSE" if paranoid else "TRUE"} AND f.size = a.size AND f.mtime_ns = a.mtime_ns
            AND f.etag IS NOT DISTINCT FROM a.etag
        UNION ALL
        SELECT source, path, source_rank, whole, recording, FALSE, TRUE FROM ({_kept_aliases(config, cut_by)})
        WHERE NOT stale"""
    )
    state.sql(
        f"""CREATE OR REPLACE TABLE known_files AS
        WITH deciding AS (
            SELECT * FROM same_files SEMI JOIN (SELECT recording FROM same_files WHERE NOT settled) USING (recording)
            QUALIFY row_number() OVER (PARTITION BY recording ORDER BY {DECIDING}) = 1)
        SELECT source, path, recording FROM same_files
        ANTI JOIN (SELECT source, path FROM deciding WHERE NOT settled) USING (source, path) WHERE here"""
    )


def _kept_aliases(config: RunConfig, cut_by: str) -> str:
    """SQL of the aliases of files that are gone from sources that keep theirs; `stale` where its labels would now cut
    it in another way, which nobody can do any more."""
    retire = ", ".join(literal(s.name) for s in config.sources if s.missing == "retire") or "''"
    uri = "CASE WHEN a.path LIKE '/%' OR contains(a.path, '://') THEN a.path ELSE r.prefix || a.path END"
    return f"""SELECT a.*, r.source_rank, {uri} AS uri, s.spans IS NULL AS whole,
            a.segmentation <> {cut_by} AS stale
        FROM parent_aliases a JOIN sources r USING (source) ANTI JOIN files f USING (source, path)
        LEFT JOIN spans s USING (source, path) WHERE a.source NOT IN ({retire})"""


def plan_probe(state: State, store: Store, runs: list[str], recipe: ProbeRecipe, config: RunConfig) -> None:
    """Table `probe_rows` of what is known of new files, and `probe_items` with units for the rest."""
    state.receipts("probe_receipts", receipt_files(store, runs, recipe), recipe.schema)
    state.sql(
        f"""CREATE OR REPLACE TABLE probe_rows AS
        SELECT k.source, k.path, k.segmentation, r.* EXCLUDE (part_file)
            -- a file that killed or hung its worker was never hashed, and still needs a name in the ledger
            REPLACE (coalesce(r.recording, 'unreadable-' || md5(regexp_replace(k.uri, '{PLACE}', ''))) AS recording)
        FROM probe_keys k JOIN (
            SELECT *, count(error_reason) OVER (PARTITION BY key) AS again FROM probe_receipts
            QUALIFY row_number() OVER (
                PARTITION BY key ORDER BY error_reason IS NOT NULL, {passing("error_reason")}, part_file DESC) = 1
        ) r USING (key)"""
    )
    w = config.workers
    state.sql(
        f"""CREATE OR REPLACE TABLE probe_items AS
        SELECT CAST(floor(greatest((sum(size) OVER win - size) / {w.unit_bytes},
                (row_number() OVER win - 1) / {w.unit_clips})) AS BIGINT) AS unit,
            row_number() OVER win AS place, key, uri, size, mtime_ns, spans, coalesce(again, 0) AS again
        FROM probe_keys LEFT JOIN (SELECT key, again, error_reason FROM probe_rows) r USING (key)
        WHERE r.key IS NULL OR ({passing("r.error_reason")} AND {left("again")})
        WINDOW win AS (ORDER BY source_rank, path ROWS UNBOUNDED PRECEDING)"""
    )


def live_tables(state: State, config: RunConfig, *, retry_failed: bool = False) -> None:
    """Tables `recordings_now` and `clips_now`: what is live after this listing, labels joined.

    retry_failed: count the tries of what failed for reasons of the moment anew.
    """
    state.sql(
        f"""CREATE OR REPLACE TABLE aliases_now AS
        SELECT f.source, f.source_rank, f.path, f.uri, f.size, f.mtime_ns, f.etag, f.segmentation,
            coalesce(k.recording, p.recording) AS recording, p.key IS NOT NULL AS probed, f.spans IS NULL AS whole,
            FALSE AS stale
        FROM files f LEFT JOIN known_files k USING (source, path) LEFT JOIN probe_rows p USING (source, path)
        WHERE coalesce(k.recording, p.recording) IS NOT NULL
        UNION ALL
        SELECT source, source_rank, path, uri, size, mtime_ns, etag, segmentation, recording, FALSE, whole, stale
        FROM ({_kept_aliases(config, _cut_by(config))})"""
    )
    overrides.ban_recordings(state)
    state.sliced(
        "recording_paths",
        f"""SELECT recording,
            list(struct_pack(source, path, size, mtime_ns, etag) ORDER BY source_rank, path) AS aliases,
            arg_min(uri, (source_rank, path)) AS uri, arg_min(source, (source_rank, path)) AS source,
            arg_min(path, (source_rank, path)) AS path, min(source_rank) AS source_rank,
            arg_min(size, (source_rank, path)) AS size,
            arg_min(segmentation, (stale, {DECIDING})) AS cut
        FROM aliases_now WHERE in_slice(recording) GROUP BY recording""",
        int(state.one("SELECT count(*) FROM aliases_now")),
    )
    counted = "FALSE" if retry_failed else passing("reason")
    before = f"SELECT recording, coalesce(tries, 1) AS before FROM parent_recordings WHERE {counted}"
    # receipts of runs that began before there were notes have none
    note = state.given("probe_rows", "note", pa.string())
    cutting, parent_cutting = (state.given(t, CUTTING_COLUMN, CUTTING) for t in ("probe_rows", "parent_recordings"))
    state.sql(
        f"""CREATE OR REPLACE TABLE recordings_now AS
        WITH facts AS (
            SELECT recording, format, sample_rate, num_channels, num_samples, segmentation,
                CASE WHEN error_reason IS NULL THEN 'decoded' ELSE 'failed' END AS status,
                error_reason AS reason, coalesce(error_message, {note}) AS message, again AS tries, 0 AS age,
                {cutting} AS cutting
            FROM probe_rows
            UNION ALL
            SELECT recording, format, sample_rate, num_channels, num_samples, segmentation, status, reason, message, 0,
                1, {parent_cutting} FROM parent_recordings
        ), chosen AS (
            SELECT f.* FROM facts f JOIN (SELECT recording, cut FROM recording_paths) USING (recording)
            QUALIFY row_number() OVER (PARTITION BY recording
                -- another than the cut wanted only where the file that decides could not be read
                ORDER BY {passing("reason")}, segmentation <> cut, age, status, segmentation, message) = 1)
        SELECT c.* REPLACE (CASE WHEN {passing("c.reason")} THEN c.tries + coalesce(b.before, 0) END AS tries),
            p.* EXCLUDE (recording, cut)
        FROM chosen c JOIN recording_paths p USING (recording) LEFT JOIN ({before}) b USING (recording)"""
    )
    state.sql("DROP TABLE recording_paths")
    aligned = f"p.{ALIGNED_COLUMN}" if ALIGNED_COLUMN in state.columns("parent_clips") else state.null(ALIGNED)
    state.sql(
        f"""CREATE OR REPLACE TABLE clip_facts AS
        WITH once AS (
            SELECT key FROM probe_rows WHERE error_reason IS NULL
            QUALIFY row_number() OVER (PARTITION BY recording, segmentation ORDER BY key) = 1),
        cut AS (
            SELECT recording, segmentation, unnest(clips, max_depth := 2)
            FROM probe_rows SEMI JOIN once USING (key))
        SELECT c.clip, c.group, c.recording, c.channel, c.start, c.end, c.pcm_sha256,
            {"c.aligned" if config.segment.method == "speech" else state.null(ALIGNED)} AS aligned
        FROM cut c JOIN recordings_now r USING (recording, segmentation)"""
    )
    state.sql(
        f"""INSERT INTO clip_facts
        SELECT p.clip, p.group, p.recording, p.channel, p.start, p.end, p.pcm_sha256, {aligned}
        FROM parent_clips p JOIN recordings_now r USING (recording)
        JOIN parent_recordings q ON q.recording = p.recording AND q.segmentation = r.segmentation
        ANTI JOIN clip_facts c ON c.clip = p.clip
        WHERE r.status = 'decoded'"""
    )
    label_lines.settle(state, config)
    overrides.ban_clips(state)
    _labelled(state, config)
    overrides.relabel(state)
    overrides.redact(state)


def _sources(state: State, config: RunConfig) -> None:
    state.sql(
        "CREATE OR REPLACE TABLE sources "
        "(source VARCHAR, source_rank INTEGER, prefix VARCHAR, language VARCHAR, speaker VARCHAR)"
    )
    for rank, source in enumerate(config.sources):
        row = (source.name, rank, uri_prefix(source.path), source.language, source.speaker)
        state.sql("INSERT INTO sources VALUES (?, ?, ?, ?, ?)", row)


def _labelled(state: State, config: RunConfig) -> None:
    """`clips_now`: of all labels of a clip's aliases the first with text, by source order then path, is chosen;
    labels that disagree about the text are flagged. Where recordings are cut at pauses the text is what was found to be
    said in the clip."""
    if config.segment.method == "speech":
        said_in_clips(state)
    else:
        _candidates(state, config)
    state.sliced(
        "clip_labels",
        """SELECT clip, arg_min(transcript, (transcript IS NULL, source_rank, path, transcript)) AS transcript,
            arg_min(language, (transcript IS NULL, source_rank, path, transcript)) AS language,
            arg_min(speaker, (transcript IS NULL, source_rank, path, transcript)) AS speaker,
            arg_min(label_source, (transcript IS NULL, source_rank, path, transcript)) AS label_source,
            arg_min(carried, (transcript IS NULL, source_rank, path, transcript)) AS carried,
            arg_min(words, (transcript IS NULL, source_rank, path, transcript)) AS label_words,
            count(DISTINCT transcript) > 1 AS label_conflict
        FROM (SELECT c.* REPLACE (
                coalesce(c.language, s.language) AS language, coalesce(c.speaker, s.speaker) AS speaker)
            -- a join with so small a table must not feed a larger join: DuckDB 2.0 fails when that one spills
            FROM label_candidates c JOIN sources s USING (source) WHERE in_slice(clip))
        GROUP BY clip""",
        int(state.one("SELECT count(*) FROM label_candidates")),
    )
    requirements.unmet(state, config)
    state.sql("DROP TABLE label_candidates")
    state.sql(
        """CREATE OR REPLACE TABLE clips_now AS
        SELECT f.clip, f.group, f.recording, r.source, r.source_rank, r.path, r.uri, f.channel, r.num_channels,
            r.sample_rate, f.start, f.end,
            -- of a span that reaches past the end, what is there
            greatest(least(f.end, r.num_samples) - f.start, 0) / r.sample_rate AS duration_s, f.pcm_sha256,
            l.transcript, sha256(l.transcript) AS transcript_sha256, l.label_source,
            coalesce(l.label_conflict, FALSE) AS label_conflict, l.language, l.speaker, l.carried, l.label_words,
            f.aligned, list_filter(r.cutting.sound, lambda s: s.channel = f.channel)[1].handed AS recording_sound
        FROM clip_facts f JOIN recordings_now r USING (recording) LEFT JOIN clip_labels l USING (clip)"""
    )


def _candidates(state: State, config: RunConfig) -> None:
    """Table `label_candidates`: the labels that may be of each clip."""
    state.sql(
        f"""CREATE OR REPLACE TABLE label_candidates AS
        SELECT c.clip, a.source, a.source_rank, a.path, l.language, l.speaker, l.carried,
            CASE WHEN {label_lines.GIVES_TEXT} THEN l.transcript END AS transcript,
            CASE WHEN {label_lines.GIVES_TEXT} THEN l.words END AS words,
            CASE WHEN l.label_file IS NOT NULL THEN a.source || '/' || a.path END AS label_source
        FROM clip_facts c JOIN aliases_now a ON a.recording = c.recording
        JOIN recordings_now r ON r.recording = c.recording
        LEFT JOIN labels l ON l.source = a.source AND l.path = a.path
            AND {label_lines.of_clip(config)}"""
    )
