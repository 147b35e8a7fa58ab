"""Labels of recordings that are cut at pauses: what goes to the probe, and what comes back as the text of each clip."""

from __future__ import annotations

from typing import Any

from ...schemas.counted import counted
from .state import State


def cues(state: State) -> None:
    """Table `spans` (source, path, spans): what the labels of a file say and when, each with start_s, duration_s,
    channel, transcript, words, speaker and language.

    Labels of whole recordings are among them where they have a text.
    """
    state.sliced(
        "spans",
        """SELECT l.source, l.path, list(struct_pack(start_s := l.start_s, duration_s := l.duration_s,
                channel := l.channel, transcript := l.transcript, words := l.words, speaker := l.speaker,
                language := coalesce(l.language, s.language))
            ORDER BY l.start_s NULLS FIRST, l.duration_s, l.channel, l.transcript, l.speaker) AS spans
        FROM labels l JOIN sources s USING (source)
        WHERE in_slice(l.path) AND (l.start_s IS NOT NULL OR l.transcript IS NOT NULL)
        GROUP BY l.source, l.path""",
        int(state.one("SELECT count(*) FROM labels")),
    )


def said_in_clips(state: State) -> None:
    """Table `label_candidates`: the words that were found to be said in a clip, with language and the carried columns
    of the file's first label."""
    state.sql(
        """CREATE OR REPLACE TABLE first_labels AS
        SELECT * FROM labels QUALIFY row_number() OVER (
            PARTITION BY source, path, channel ORDER BY start_s NULLS FIRST, duration_s, transcript, speaker) = 1"""
    )
    state.sql(
        """CREATE OR REPLACE TABLE label_candidates AS
        SELECT c.clip, a.source, a.source_rank, a.path, l.language, l.carried,
            coalesce(c.aligned.speaker, CASE WHEN l.start_s IS NULL THEN l.speaker END) AS speaker,
            CASE WHEN a.segmentation = r.segmentation THEN c.aligned.text END AS transcript,
            CASE WHEN a.segmentation = r.segmentation THEN c.aligned.words END AS words,
            CASE WHEN l.label_file IS NOT NULL THEN a.source || '/' || a.path END AS label_source
        FROM clip_facts c JOIN aliases_now a ON a.recording = c.recording
        JOIN recordings_now r ON r.recording = c.recording
        LEFT JOIN first_labels l ON l.source = a.source AND l.path = a.path
            AND (l.channel IS NULL OR l.channel = c.channel)"""
    )
    state.sql("DROP TABLE first_labels")


def ledger(state: State) -> dict[str, int]:
    """Samples of one channel of all recordings that are cut at pauses: `samples`, in `clips`, in gaps by their kind,
    and what was taken down since. They add up; empty where no recording is cut at pauses."""
    samples, recordings = state.sql(
        "SELECT coalesce(sum(num_samples), 0)::BIGINT, count(*) FROM recordings_now WHERE cutting IS NOT NULL"
    ).fetchall()[0]
    if not recordings:
        return {}
    found = {"recordings": recordings, "samples": samples}
    found["clips"] = int(
        state.one(
            """SELECT coalesce(sum("end" - start), 0)::BIGINT FROM (
                SELECT DISTINCT c.recording, c.start, c."end" FROM clip_facts c JOIN recordings_now r USING (recording)
                WHERE r.cutting IS NOT NULL)"""
        )
    )
    gaps = state.sql(
        """SELECT g.kind, sum(g."end" - g.start)::BIGINT FROM (
            SELECT unnest(cutting.gaps) AS g FROM recordings_now WHERE cutting IS NOT NULL) GROUP BY 1 ORDER BY 1"""
    ).fetchall()
    found |= {f"gap_{kind}": total for kind, total in gaps}
    found["taken_down"] = samples - found["clips"] - sum(total for _, total in gaps)
    return found


def notices(state: State) -> list[str]:
    """Lines about recordings that are cut at pauses: their samples, cuts where nobody paused, texts."""
    found = ledger(state)
    if not found:
        return []
    gaps = " + ".join(f"{n:,} in gaps ({name[4:]})" for name, n in found.items() if name.startswith("gap_"))
    away = f" + {found['taken_down']:,} taken down" if found["taken_down"] else ""
    lines = [
        f"{counted(found['recordings'], 'recording')} cut at pauses: {found['samples']:,} samples = "
        f"{found['clips']:,} in clips"
        f"{' + ' + gaps if gaps else ''}{away}"
    ]
    forced, speechless = state.sql(
        """SELECT coalesce(sum(cutting.forced), 0)::BIGINT, count(*) FILTER (list_sum(list_transform(cutting.gaps,
            lambda g: g."end" - g.start)) = num_samples) FROM recordings_now WHERE cutting IS NOT NULL"""
    ).fetchall()[0]
    if forced:
        cuts = counted(forced, "cut is", "cuts are")
        lines.append(f"{cuts} where nobody paused: speech went on for longer than the longest clip")
    if speechless:
        lines.append(
            f"{counted(speechless, 'recording has', 'recordings have')} no clip, since nobody speaks there long enough"
        )
    return lines + _timing(state)


def _timing(state: State) -> list[str]:
    rows: list[tuple[Any, ...]] = state.sql(
        """SELECT t.method, count(*), sum(t.cues)::BIGINT, sum(t.aligned)::BIGINT, sum(t.unmatched)::BIGINT,
            arg_max(path, abs(t.offset_s)), arg_max(t.offset_s, abs(t.offset_s)), arg_max(t.drift, abs(t.offset_s))
        FROM (SELECT path, unnest(cutting.timing) AS t FROM recordings_now WHERE cutting IS NOT NULL)
        GROUP BY 1 ORDER BY 1"""
    ).fetchall()
    lines = []
    for method, channels, cues, aligned, unmatched, path, offset_s, drift in rows:
        if method == "none":
            lines.append(
                f"texts of {counted(channels, 'channel')} that nothing could lay on what is said, for want of an "
                "aligner of their language and of times that fit the speech: "
                f"{counted(cues, 'cue')} = {cues - unmatched:,} with their own times + {unmatched:,} without a place, "
                "which no clip has"
            )
            continue
        by = "the aligner" if method == "aligner" else "the pattern of speech"
        far = "" if offset_s is None else f"; largest offset {offset_s:+.2f} s, drift {100 * drift:+.3f} % ({path})"
        lines.append(
            f"texts of {counted(channels, 'channel')} laid on by {by}: {counted(cues, 'cue')} = {aligned:,} aligned + "
            f"{cues - aligned - unmatched:,} moved + {unmatched:,} that match nothing that is said{far}"
        )
    return lines
