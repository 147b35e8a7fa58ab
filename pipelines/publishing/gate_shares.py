"""Hours that are kept, and how they are spread over speakers and languages."""

from __future__ import annotations

from typing import Any

import duckdb


def share_facts(clips: duckdb.DuckDBPyRelation) -> dict[str, Any]:
    """`kept_hours`; of speakers and of languages, where labels or curators name any among the kept clips: how many
    (`kept_speakers`, `kept_languages`), the largest one's share of the hours that are named
    (`largest_speaker_share`, `largest_language_share`), and the hours of the smallest language
    (`smallest_language_hours`)."""
    if not {"status", "duration_s"} <= set(clips.columns):
        return {}
    found: dict[str, Any] = {}
    total = clips.query("clips", "SELECT coalesce(sum(duration_s), 0) / 3600 FROM clips WHERE status = 'kept'")
    assert total is not None
    found["kept_hours"] = total.fetchall()[0][0]
    for column in ("speaker", "language"):
        if column not in clips.columns:
            continue
        relation = clips.query(
            "clips",
            f"""SELECT count(*), max(hours) / nullif(sum(hours), 0), min(hours) FROM (
                SELECT sum(duration_s) / 3600 AS hours FROM clips
                WHERE status = 'kept' AND {column} IS NOT NULL GROUP BY {column})""",
        )
        assert relation is not None
        number, largest, smallest = relation.fetchall()[0]
        found[f"kept_{column}s"] = number
        found[f"largest_{column}_share"] = largest
        if column == "language":
            found["smallest_language_hours"] = smallest
    return found
