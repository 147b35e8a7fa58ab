"""What becomes of each label line: a clip, a failed clip with a reason, or a counted notice. Labels belong to spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ...schemas.config import RunConfig
from ...schemas.counted import counted
from ...schemas.keys import clip_key, group_key
from ...schemas.tables import FailureReason
from ...schemas.time import PAST_END_S, samples
from ..labels.read import Tally
from .state import State

FAILED_SPANS = pa.schema(
    [
        pa.field("clip", pa.string()),
        pa.field("group", pa.string()),
        pa.field("recording", pa.string()),
        pa.field("channel", pa.int16()),
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("reason", pa.string()),
        pa.field("message", pa.string()),
    ]
)
ROUNDING = 0.5001
"""Samples between a time and the sample that it was cut at."""


def of_clip(config: RunConfig) -> str:
    """SQL that holds when label `l` is of clip `c` of recording `r`.

    A label of a span is of the clip with that span, cut at the recording's end; one of a whole recording is of each
    of its clips (`GIVES_TEXT` says which of them get its text).
    """
    beyond = 'l.duration_s * r.sample_rate > c."end" - c.start'
    reach = f'OR c."end" = r.num_samples AND {_reaches_no_further(config)} AND {beyond}'
    return f"""(l.channel IS NULL OR l.channel = c.channel) AND (l.start_s IS NULL
        OR abs(l.start_s * r.sample_rate - c.start) <= {ROUNDING} AND (
            l.duration_s IS NULL AND c."end" = r.num_samples
            OR abs(l.duration_s * r.sample_rate - (c."end" - c.start)) <= {ROUNDING}
            {reach}))"""


GIVES_TEXT = '(l.start_s IS NOT NULL OR c.start = 0 AND c."end" = r.num_samples)'
"""SQL that holds when clip `c` gets the text of label `l`: the text of a whole recording is not that of its windows."""


def _reaches_no_further(config: RunConfig) -> str:
    if config.segment.truncated == "accept":
        return "TRUE"
    return f"(l.start_s + l.duration_s - {PAST_END_S}) * r.sample_rate <= r.num_samples + 1"


def settle(state: State, config: RunConfig) -> None:
    """After `clip_facts` was made: tables `span_failures` (clip, reason, message), their clips also in `clip_facts`,
    `clip_notes` (clip, message) of clips that are not all that was asked for or are of a damaged recording, and
    `label_ledger`.

    `label_ledger` (source, fate, lines, example): what became of the lines of each source's labels.
    """
    # where recordings are cut at pauses, labels cut nothing: what of them is said in which clip, `cues` counts
    speech = config.segment.method == "speech"
    state.sql(
        f"""CREATE OR REPLACE TABLE label_spans AS
        SELECT l.rowid AS line, l.source, l.path, l.start_s, l.duration_s, l.channel, r.recording, r.sample_rate,
            r.num_samples, r.num_channels, a.segmentation = r.segmentation AS cut_by_it
        FROM labels l JOIN aliases_now a ON a.source = l.source AND a.path = l.path
        JOIN recordings_now r ON r.recording = a.recording
        WHERE l.start_s IS NOT NULL AND r.status = 'decoded' AND {not speech}"""
    )
    state.sql(
        """DELETE FROM clip_facts USING recordings_now r
        WHERE r.recording = clip_facts.recording
            AND (clip_facts."end" > r.num_samples OR clip_facts."end" <= clip_facts.start)"""
    )
    state.sql(
        f"""CREATE OR REPLACE TABLE span_clips AS
        SELECT l.line, c.clip, l.duration_s * l.sample_rate > c."end" - c.start + {ROUNDING} AS shortened
        FROM label_spans l JOIN label_spans r USING (line) JOIN clip_facts c ON c.recording = l.recording
        WHERE {of_clip(config)}"""
    )
    state.sql("CREATE OR REPLACE TABLE lost_spans AS SELECT * FROM label_spans ANTI JOIN span_clips USING (line)")
    failed = state.stream("SELECT * FROM lost_spans WHERE cut_by_it AND (channel IS NULL OR channel < num_channels)")
    state.fill("failed_spans", FAILED_SPANS, _failed(failed))
    state.sql(
        "CREATE OR REPLACE TABLE failed_spans AS SELECT DISTINCT ON (clip) * FROM failed_spans ORDER BY clip, message"
    )
    state.sql(
        """INSERT INTO clip_facts BY NAME
        SELECT clip, "group", recording, channel, start, "end", CAST(NULL AS VARCHAR) AS pcm_sha256 FROM failed_spans"""
    )
    state.sql("CREATE OR REPLACE TABLE span_failures AS SELECT clip, reason, message FROM failed_spans")
    state.sql(
        f"""CREATE OR REPLACE TABLE clip_notes AS
        SELECT clip, min('cut at the end of the recording: its label asks for '
            || printf('%.3f', l.start_s) || ' to ' || printf('%.3f', l.start_s + l.duration_s) || ' s') AS message
        FROM span_clips JOIN label_spans l USING (line)
        WHERE shortened AND (l.start_s + l.duration_s) * l.sample_rate > l.num_samples + {PAST_END_S} * l.sample_rate
        GROUP BY clip"""
    )
    state.sql(
        f"""INSERT INTO clip_notes
        SELECT c.clip, 'no text: its label is of the whole recording, and nothing says which words are in this window'
        FROM clip_facts c JOIN recordings_now r USING (recording) JOIN aliases_now a USING (recording)
        JOIN labels l ON l.source = a.source AND l.path = a.path
        WHERE {not speech} AND l.start_s IS NULL AND l.transcript IS NOT NULL AND NOT {GIVES_TEXT}
            AND c.clip NOT IN (SELECT clip FROM span_clips) GROUP BY c.clip"""
    )
    state.sql(
        """INSERT INTO clip_notes
        SELECT c.clip, r.message FROM clip_facts c JOIN recordings_now r USING (recording)
        WHERE r.status = 'decoded' AND r.message IS NOT NULL"""
    )
    state.sql(
        """CREATE OR REPLACE TABLE clip_notes AS
        SELECT clip, string_agg(message, '; ' ORDER BY message) AS message FROM clip_notes GROUP BY clip"""
    )
    _ledger(state, windows=not speech)


def tallied(tallies: list[Tally]) -> pa.Table:
    """How many lines of each source cannot be used."""
    return pa.table(
        {
            "source": pa.array([tally.source for tally in tallies], pa.string()),
            "lines": pa.array([tally.lines for tally in tallies], pa.int64()),
        }
    )


def notices(state: State) -> list[str]:
    """A line per source whose label lines did not all become clips; they add up."""
    unusable = dict(state.sql("SELECT source, lines FROM label_tallies").fetchall())
    by_source: dict[str, dict[str, tuple[int, str | None]]] = {source: {} for source in unusable}
    rows = state.sql("SELECT source, fate, lines, example FROM label_ledger ORDER BY source, fate").fetchall()
    for source, fate, lines, example in rows:
        by_source.setdefault(source, {})[fate] = (lines, example)
    found = []
    for source, fates in sorted(by_source.items()):
        total = sum(lines for lines, _ in fates.values()) + unusable.get(source, 0)
        parts = [f"{fates.get(CLIPS, (0, None))[0]:,} {CLIPS}"]
        for fate, (lines, example) in fates.items():
            if fate not in (CLIPS, NO_TEXT):
                parts.append(f"{lines:,} {fate} ({example})")
        if unusable.get(source):
            parts.append(f"{unusable[source]:,} that cannot be used")
        if len(parts) > 1:
            found.append(f"source {source!r}: {total:,} label lines = {' + '.join(parts)}")
        if NO_TEXT in fates:
            lines, example = fates[NO_TEXT]
            labels = counted(lines, "label of a whole recording gives", "labels of whole recordings give")
            found.append(
                f"source {source!r}: {labels} the windows no text, since nothing says which words are in which "
                f"({example})"
            )
    return found


CLIPS = "of clips"
FAILED = "of spans that failed"
NO_TEXT = "without text"


def _ledger(state: State, windows: bool) -> None:
    state.sql(
        f"""CREATE OR REPLACE TABLE label_ledger AS
        WITH fates AS (
            SELECT l.source, l.path, CASE
                WHEN f.path IS NULL THEN 'of recordings that are not there'
                WHEN r.recording IS NULL THEN 'of recordings that were taken down or not read yet'
                WHEN r.status = 'failed' THEN 'of recordings that failed'
                WHEN s.line IS NULL THEN '{CLIPS}'
                WHEN s.channel >= s.num_channels THEN 'of channels that are not there'
                WHEN NOT s.cut_by_it THEN 'of recordings that the labels of another path or source cut'
                ELSE '{FAILED}' END AS fate
            FROM labels l LEFT JOIN files_listed f ON f.source = l.source AND f.path = l.path
            LEFT JOIN aliases_now a ON a.source = l.source AND a.path = l.path
            LEFT JOIN recordings_now r ON r.recording = a.recording
            LEFT JOIN lost_spans s ON s.line = l.rowid)
        SELECT source, fate, count(*) AS lines, min(path) AS example FROM fates GROUP BY source, fate"""
    )
    state.sql(
        f"""INSERT INTO label_ledger
        SELECT l.source, '{NO_TEXT}', count(DISTINCT l.rowid), min(l.path)
        FROM labels l JOIN aliases_now a ON a.source = l.source AND a.path = l.path
        JOIN (SELECT c.recording FROM clip_facts c JOIN recordings_now r USING (recording)
            WHERE r.status = 'decoded' GROUP BY c.recording, r.num_samples
            HAVING count(*) FILTER (c.start = 0 AND c."end" = r.num_samples) = 0) w ON w.recording = a.recording
        WHERE {windows} AND l.start_s IS NULL AND l.transcript IS NOT NULL GROUP BY l.source"""
    )


def _failed(spans: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """Clips that cannot be, from labels of spans that reach past the end."""
    for batch in spans:
        rows: list[dict[str, Any]] = []
        for span in batch.to_pylist():
            rate, length = span["sample_rate"], span["num_samples"]
            start = samples(span["start_s"], rate)
            end = max(start, length) if span["duration_s"] is None else start + samples(span["duration_s"], rate)
            until = "its end" if span["duration_s"] is None else f"{span['start_s'] + span['duration_s']:.3f} s"
            message = (
                f"{span['path']}: the label asks for {span['start_s']:.3f} s to {until}, the recording has "
                f"{length / rate:.3f} s"
            )
            if end == start:
                message += ", and the span holds no sample"
            elif start < length:
                message += "; `segment: {truncated: accept}` takes what is there"
            channels = range(span["num_channels"]) if span["channel"] is None else (span["channel"],)
            for channel in channels:
                rows.append(
                    {
                        "clip": clip_key(span["recording"], channel, start, end),
                        "group": group_key(span["recording"], start, end),
                        "recording": span["recording"],
                        "channel": channel,
                        "start": start,
                        "end": end,
                        "reason": str(FailureReason.PAST_END),
                        "message": message,
                    }
                )
        yield pa.RecordBatch.from_pylist(rows, schema=FAILED_SPANS)
