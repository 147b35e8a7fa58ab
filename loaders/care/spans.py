"""Spans of samples, and what overlaps with them: in one pass over a clip table, whatever number of spans."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

Span = tuple[int, int]


class Spans:
    """Spans [start, end) of channels of recordings; those that touch are one."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """rows: recording, channel, start and end, in samples."""
        found: dict[tuple[str, int], list[Span]] = {}
        for row in rows:
            found.setdefault((row["recording"], row["channel"]), []).append((row["start"], row["end"]))
        self._merged = {place: _merged(sorted(spans)) for place, spans in found.items()}
        self._recordings = pa.array(sorted({recording for recording, _ in found}), pa.string())

    def overlap(self, clips: pa.Table) -> pa.ChunkedArray:
        """Boolean per row of `clips` (recording, channel, start, end): some of its samples are in a span."""
        near = pc.is_in(clips["recording"], value_set=self._recordings)
        places = pc.indices_nonzero(near)
        rows = clips.select(["recording", "channel", "start", "end"]).take(places).to_pylist()
        hits = [place for place, row in zip(places.to_pylist(), rows, strict=True) if self._span(row) is not None]
        numbers = pa.array(range(clips.num_rows), pa.int64())
        return pa.chunked_array([pc.is_in(numbers, value_set=pa.array(hits, pa.int64()))])

    def shared(self, row: Mapping[str, Any]) -> Span:
        """The part of a clip that is in a span: of the first of them, where it overlaps several. It must overlap."""
        span = self._span(row)
        assert span is not None
        return max(row["start"], span[0]), min(row["end"], span[1])

    def _span(self, row: Mapping[str, Any]) -> Span | None:
        spans = self._merged.get((row["recording"], row["channel"]), [])
        # disjoint and ascending, so the first that ends after the clip begins is the only one to look at
        at = bisect_right(spans, row["start"], key=lambda span: span[1])
        return spans[at] if at < len(spans) and spans[at][0] < row["end"] else None


def _merged(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in spans:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
