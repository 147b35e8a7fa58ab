"""Which failures are of the moment, in SQL: what later runs try again by themselves, and how often they have.

Reasons stand in three shapes: as a word (`reason`, `reasons[1]`), before a colon (`error` of a pointer, `message` of an
extraction that failed) and after "failed: " (`reason` of a score).
"""

from __future__ import annotations

from ...schemas.sql import literal
from ...schemas.tables import OF_THE_MOMENT, TRIES, FailureReason
from ..passes.measure import FAILED
from .state import State

WORDS = ", ".join(literal(word) for word in sorted(OF_THE_MOMENT))
CLIP_WORD = (
    f"CASE WHEN reasons[1] = {literal(FailureReason.EXTRACTION)} THEN split_part(message, ':', 1) ELSE reasons[1] END"
)
"""The reason of a failed row of the clip table, as a word."""


def passing(word: str) -> str:
    """Whether a word is a reason of the moment: TRUE or FALSE, also for NULL."""
    return f"coalesce({word} IN ({WORDS}), FALSE)"


def passing_error(error: str) -> str:
    """The same for "<reason>: message"."""
    return passing(f"split_part({error}, ':', 1)")


def passing_score(reason: str) -> str:
    """The same for the reason of a null score."""
    word = passing(f"split_part({reason}, ': ', 2)")
    return f"(starts_with(coalesce({reason}, ''), '{FAILED}: ') AND {word})"


def left(tries: str) -> str:
    """Whether something that failed `tries` times (NULL: never) is tried again."""
    return f"coalesce({tries}, 0) < {TRIES}"


def to_try_again(state: State) -> tuple[dict[str, int], dict[str, int]]:
    """After `ingest.load_sources`: what of the parent version failed for reasons of the moment. By reason, how many
    files and clips a run tries again, and how many were tried so often that it does not. A clip that only lacks a score
    counts as "score"."""
    rows = state.sql(
        f"""SELECT word, {left("tries")} AS again, count(*) FROM (
            SELECT reason AS word, tries FROM parent_recordings WHERE status = 'failed' AND {passing("reason")}
                AND recording IN (SELECT recording FROM parent_aliases SEMI JOIN files USING (source, path))
            UNION ALL
            SELECT CASE WHEN status = 'failed' AND {passing(CLIP_WORD)} THEN {CLIP_WORD} ELSE 'score' END, tries
            FROM parent_clips WHERE tries IS NOT NULL OR (status = 'failed' AND {passing(CLIP_WORD)})
        ) GROUP BY ALL ORDER BY count(*) DESC, word"""
    ).fetchall()
    again: dict[str, int] = {word: count for word, is_tried, count in rows if is_tried}
    return again, {word: count for word, is_tried, count in rows if not is_tried}
