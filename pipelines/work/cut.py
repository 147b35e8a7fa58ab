"""How large the units of a pass are: large ones while much is left, small ones for a short pass and towards its end.

With units of one size a pass waits at its end for whoever began the last one, and a short pass is one unit for one
worker. So a unit takes a share of what is left (guided self-scheduling: Polychronopoulos and Kuck, IEEE Trans. Comput.
C-36, 1987), within bounds. How items are cut changes no result: receipts say what became of items, never of units, and
what is left is cut anew when a run resumes. Passes whose results do depend on which clips share a batch are not cut
any smaller.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

UNITS_PER_WORKER = 4
"""A unit is at most this part of one worker's share of what is left."""
SMALLEST_SHARE = 1 / 40
"""Of a worker's share of the whole pass: half of the 5 % that a worker may idle at the end."""
SMALLEST_UNIT = 1 / 16
"""Of the largest unit: below that a unit's own cost shows."""
SHORT_PASS = 8
"""Largest units per worker, below which a pass is short: its items are cut in the order of their length, so that no
long one is begun at the end. In a longer one the order of the sources is worth more, whose files lie side by side."""
WEIGHT = "weight"
"""Column of the rows: how much work an item is, in any unit."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work a unit holds, from how much of the pass is left.

    most_items: that a unit holds, however little work they are.
    """

    total: float
    workers: int
    largest: float
    most_items: int = 1 << 62

    @property
    def short(self) -> bool:
        """Whether the pass is short for its workers."""
        return self.total < SHORT_PASS * self.workers * self.largest

    def at(self, left: float) -> float:
        """The size of the next unit when `left` of `total` is left."""
        smallest = min(self.largest * SMALLEST_UNIT, self.total / self.workers * SMALLEST_SHARE)
        return max(min(self.largest, left / (UNITS_PER_WORKER * self.workers)), smallest)


def cut(rows: pa.RecordBatchReader, sizes: Sizes | None) -> pa.RecordBatchReader:
    """The rows with `unit` numbered anew and without `weight`: no unit has items of two of the units that they come in.

    rows: with `unit` (int) and `weight` (float, in the measure of `sizes`), what belongs together in one stretch.
    sizes: None leaves the units as they are.
    """
    schema = pa.schema([field for field in rows.schema if field.name not in ("unit", WEIGHT)])
    schema = schema.append(pa.field("unit", pa.int64()))
    return pa.RecordBatchReader.from_batches(schema, _numbered(rows, sizes))


def _numbered(rows: pa.RecordBatchReader, sizes: Sizes | None) -> Iterator[pa.RecordBatch]:
    unit, before, held, items, done, size = -1, None, 0.0, 0, 0.0, 0.0
    for batch in rows:
        numbers = []
        for coarse, weight in zip(batch["unit"].to_pylist(), batch[WEIGHT].to_pylist(), strict=True):
            if coarse != before or (sizes is not None and (held >= size or items >= sizes.most_items)):
                unit, before, held, items = unit + 1, coarse, 0.0, 0
                size = sizes.at(sizes.total - done) if sizes is not None else 0.0
            held, items, done = held + weight, items + 1, done + weight
            numbers.append(unit)
        kept = batch.drop_columns(["unit", WEIGHT])
        yield kept.append_column(pa.field("unit", pa.int64()), pa.array(numbers, pa.int64()))
