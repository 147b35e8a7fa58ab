"""The ledgers of a version, counted from its tables: whoever changes rows counts again instead of adjusting."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...schemas.tables import Status
from ...schemas.version import Counts

CLIP_COLUMNS = ("status", "reasons", "tier", "duration_s")
RECORDING_COLUMNS = ("status", "reason", "aliases")


@dataclass
class Ledger:
    """Adds up parts of the clip and recording tables; `fields` is what the version document says about them."""

    _clips: Counter[str] = field(default_factory=Counter)
    _seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _dropped: Counter[str] = field(default_factory=Counter)
    _failed: Counter[str] = field(default_factory=Counter)
    _tiers: Counter[str] = field(default_factory=Counter)
    _recordings: Counter[str] = field(default_factory=Counter)
    _paths: int = 0

    def add_clips(self, table: pa.Table) -> None:
        """Count a part of the clip table (`CLIP_COLUMNS` of it)."""
        for status in Status:
            rows = table.filter(pc.equal(table["status"], status.value))
            self._clips[status] += rows.num_rows
            self._seconds[status] += pc.sum(rows["duration_s"]).as_py() or 0.0
            if status is Status.KEPT:
                self._tiers.update(_tally(rows["tier"]))
            elif status is Status.DROPPED:
                self._dropped.update(_tally(pc.list_flatten(rows["reasons"])))
            else:
                self._failed.update(_tally(pc.list_element(rows["reasons"].filter(_filled(rows["reasons"])), 0)))

    def add_recordings(self, table: pa.Table) -> None:
        """Count a part of the recording table (`RECORDING_COLUMNS` of it)."""
        self._recordings.update(_tally(table["status"]))
        self._failed.update(_tally(table.filter(pc.equal(table["status"], "failed"))["reason"]))
        self._paths += pc.sum(pc.list_value_length(table["aliases"])).as_py() or 0

    def fields(self) -> dict[str, Any]:
        """`counts`, `hours` and the tallies of the version document."""
        hours = {s.value: round(self._seconds[s] / 3600, 6) for s in (Status.KEPT, Status.DROPPED, Status.FAILED)}
        return {
            "counts": Counts(
                files=self._paths,
                decoded=self._recordings["decoded"],
                aliases=self._paths - sum(self._recordings.values()),
                failed_files=self._recordings["failed"],
                clips=sum(self._clips.values()),
                kept=self._clips[Status.KEPT],
                dropped=self._clips[Status.DROPPED],
                failed=self._clips[Status.FAILED],
            ),
            "hours": {"clips": round(sum(hours.values()), 6), **hours},
            "dropped_by_reason": _ranked(self._dropped),
            "failed_by_reason": _ranked(self._failed),
            "kept_by_tier": _ranked(self._tiers),
        }


def _filled(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.greater(pc.list_value_length(lists), 0), False)


def _tally(values: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(values.drop_null()).to_pylist()}


def _ranked(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
