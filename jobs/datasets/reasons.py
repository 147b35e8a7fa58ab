"""What the counts of dropped clips by reason do not say: clips with several, and clips without the score of a rule."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ...loaders.reading.version import Version
from ...loaders.storage.parts import read_columns
from ...schemas.counted import counted
from ...schemas.version import VersionDocument


def several(version: Version) -> int:
    """Dropped clips with more than one reason. Raises `IntegrityError` for a damaged part."""
    document, found = version.document, 0
    if sum(document.dropped_by_reason.values()) <= document.counts.dropped:
        return 0
    for file in version.files():
        table = read_columns(file, ["status", "reasons"])
        lengths = pc.list_value_length(table.filter(pc.equal(table["status"], "dropped"))["reasons"])
        found += pc.sum(pc.cast(pc.greater(lengths, 1), pa.int64())).as_py() or 0
    return found


@dataclass(frozen=True)
class Unmeasured:
    """What one reason counts without a score."""

    reason: str
    score: str
    clips: int
    dropped: int
    """Clips with the reason."""
    applies: bool
    """Whether only nulls are counted that say that the clip could not be measured, and none that does not apply."""

    @property
    def line(self) -> str:
        """`noisy: snr_db could not be measured in 12 of 31 clips`."""
        what = "could not be measured" if self.applies else "is missing"
        return f"{self.reason}: {self.score} {what} in {self.clips:,} of {counted(self.dropped, 'clip')}"


def unmeasured(version: Version) -> list[Unmeasured]:
    """A record for each reason and score of a rule that dropped clips since they have no such score.

    Raises `IntegrityError` for a damaged part.
    """
    # where a page of the version says what its rules are
    from ...dashboards.drawing.rules import rules_of

    dropped, owners = version.document.dropped_by_reason, _owners(version.document)
    rules = [r for r in rules_of(version.document.config) if r.reason in dropped and r.score in owners]
    asked = dict.fromkeys((r.reason, r.score, r.missing == "auto") for r in rules if r.missing != "keep")
    if not asked:
        return []
    children = dict.fromkeys(f"{owners[score]}.{child}" for _, score, _ in asked for child in (score, "reason"))
    found: Counter[tuple[str, str, bool]] = Counter()
    for file in version.files():
        table = read_columns(file, ["status", "reasons", *children])
        table = table.filter(pc.equal(table["status"], "dropped"))
        for one in asked:
            reason, score, applies = one
            if owners[score] in table.column_names:
                found[one] += _count(table, reason, table[owners[score]], score, applies)
    return [
        Unmeasured(reason, score, clips, dropped[reason], applies)
        for (reason, score, applies), clips in found.items()
        if clips
    ]


def _count(table: pa.Table, reason: str, scores: pa.ChunkedArray, score: str, applies: bool) -> int:
    if score not in [field.name for field in scores.type]:
        return 0
    null = pc.is_null(pc.struct_field(scores, score))
    if applies:
        # a null without a reason, or that does not apply, breaks no such rule
        why = pc.fill_null(pc.struct_field(scores, "reason"), "")
        null = pc.and_(null, pc.or_(pc.starts_with(why, "unmeasurable"), pc.starts_with(why, "failed")))
    rows = pc.list_parent_indices(table["reasons"]).filter(pc.equal(pc.list_flatten(table["reasons"]), reason))
    return pc.sum(pc.cast(null.take(rows), pa.int64())).as_py() or 0


def _owners(document: VersionDocument) -> dict[str, str]:
    """Score -> curator."""
    return {column["name"]: name for name, entry in document.curators.items() for column in entry.columns}
