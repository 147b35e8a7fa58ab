"""Bins of a histogram: equal steps on round numbers, so that two versions mostly share them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

TARGET_BINS = 40


@dataclass(frozen=True)
class Bins:
    """`count` bins of width `step` from `start`; bin i covers [start + i step, start + (i + 1) step)."""

    start: float
    step: float
    count: int

    @property
    def end(self) -> float:
        """Right edge of the last bin."""
        return self.start + self.step * self.count

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def nice_step(span: float, target: int) -> float:
    """Smallest of 1, 2, 2.5, 5 times a power of ten of which `target` cover `span`."""
    raw = span / target
    power = 10.0 ** math.floor(math.log10(raw))
    # a hair of slack, or 0.1 * 10 would not reach 1.0
    return next(float(f"{m * power:.6g}") for m in (1, 2, 2.5, 5, 10) if m * power >= raw * (1 - 1e-9))


def nice_bins(low: float, high: float, target: int = TARGET_BINS) -> Bins:
    """At most `target` + 1 bins that cover [low, high]; of the value's own magnitude around it where low =
    high, and from 0 to 1 where that is 0, as most scores have no values below 0."""
    if not high > low:
        span = abs(low) * 0.1
        if not span and low >= 0:
            low, high = 0.0, 1.0
        else:
            span = span or 1.0
            low, high = low - span / 2, high + span / 2
    step = nice_step(high - low, target)
    start = math.floor(low / step + 1e-9) * step
    count = max(1, math.ceil((high - start) / step - 1e-9))
    return Bins(float(f"{start:.9g}"), step, count)


def shares_bins() -> Bins:
    """Bins of a ratio that uses its whole range."""
    return Bins(0.0, 0.025, 40)


def ticks(low: float, high: float, target: int = 5) -> list[float]:
    """Round numbers within [low, high], about `target` of them."""
    if not high > low:
        return [low]
    step = nice_step(high - low, target)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{i * step:.9g}") for i in range(first, last + 1)]
