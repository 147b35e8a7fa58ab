"""What changed between two versions: drops by reason, decisions that flipped, clips that came and went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .tables import ClipTable

MOVES_SHOWN = 50


def compare(table: ClipTable) -> dict[str, Any]:
    """From a table opened with the other version as `before`.

    moves: (status before, status now) -> clips, "absent" where a version lacks the clip. causes: for clips kept in
    one and dropped in the other, clips by the reasons of the drop. flips: some of them by key.
    """
    joined = """
        (SELECT coalesce(now.clip, old.clip) AS clip, coalesce(old.status, 'absent') AS was,
                coalesce(now.status, 'absent') AS became, old.reasons AS old_reasons, now.reasons AS new_reasons,
                coalesce(now.path, old.path) AS path, coalesce(now.source, old.source) AS source
         FROM clips AS now FULL JOIN clips_before AS old ON now.clip = old.clip)
    """
    moves = table.query(f"SELECT was, became, count(*) FROM {joined} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2")
    causes = table.query(
        f"""SELECT became, unnest(if(became = 'kept', old_reasons, new_reasons)) AS reason, count(*) AS n
            FROM {joined} WHERE (was = 'kept' AND became = 'dropped') OR (was = 'dropped' AND became = 'kept')
            GROUP BY 1, 2 ORDER BY n DESC, 1, 2"""
    )
    flips = table.query(
        f"""SELECT clip, source, path, was, became,
                   if(became = 'kept', old_reasons, new_reasons) AS reasons
            FROM {joined} WHERE was <> became AND 'kept' IN (was, became) AND 'absent' NOT IN (was, became)
            ORDER BY clip LIMIT {MOVES_SHOWN}"""
    )
    names = ("clip", "source", "path", "was", "became", "reasons")
    return {
        "moves": {(was, became): n for was, became, n in moves},
        "lost": [(reason, n) for became, reason, n in causes if became == "dropped"],
        "won": [(reason, n) for became, reason, n in causes if became == "kept"],
        "flips": [dict(zip(names, row, strict=True)) for row in flips],
        "flipped": sum(n for was, became, n in moves if {was, became} == {"kept", "dropped"}),
    }


def reason_rows(now: Mapping[str, int], before: Mapping[str, int]) -> list[tuple[str, int, int, int]]:
    """(reason, clips before, clips now, change), the largest change first."""
    rows = [(r, before.get(r, 0), now.get(r, 0), now.get(r, 0) - before.get(r, 0)) for r in {*now, *before}]
    return sorted(rows, key=lambda row: (-abs(row[3]), -row[2], row[0]))
