"""Recordings of any length in bounded memory: where each piece reads, and which frames of it are kept.

Mimi and EnCodec 24 kHz carry their state from piece to piece, so their pieces have no seam. A codec of which nothing
is known but its interface is encoded whole up to a limit, and beyond it in overlapping windows, which do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

AudioReader = Callable[[int, int], "torch.Tensor"]
"""Samples [start, end) at the codec's rate as `[B, C, end - start]` float32; silence beyond the recording's end."""


@dataclass(frozen=True, slots=True)
class Window:
    """Samples [start, end) are encoded; the frames of [keep_start, keep_end) are kept."""

    start: int
    end: int
    keep_start: int
    keep_end: int
    is_segment: bool = False
    """A segment of the codec's own scheme: all its frames are kept, overlap included."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Encode whole up to `whole_s`; beyond it, windows that keep `step_s` each and read `context_s` before it.

    A codec that looks ahead needs `ahead_s` after the frames that are kept.
    """

    whole_s: float = 60.0
    step_s: float = 40.0
    context_s: float = 20.0
    ahead_s: float = 0.0
    grid: int = 1
    """Samples that window edges are multiples of; the extractor makes it a multiple of its frame sizes."""

    def over(self, total: int, sample_rate: int) -> Iterator[Window]:
        """The windows over `total` samples, in order; the kept spans tile [0, total)."""
        if total <= self.whole_s * sample_rate:
            yield Window(0, total, 0, total)
            return
        step, context, ahead = (
            self._on_grid(seconds * sample_rate) for seconds in (self.step_s, self.context_s, self.ahead_s)
        )
        for keep_start, keep_end in spans(total, max(step, self.grid)):
            yield Window(max(0, keep_start - context), min(keep_end + ahead, total), keep_start, keep_end)

    def policy(self) -> dict[str, Any]:
        """What enters a fingerprint."""
        return {
            "whole_s": self.whole_s,
            "step_s": self.step_s,
            "context_s": self.context_s,
            "ahead_s": self.ahead_s,
        }

    def _on_grid(self, num_samples: float) -> int:
        return -(-int(num_samples) // self.grid) * self.grid


def spans(total: int, size: int) -> list[tuple[int, int]]:
    """[0, total) cut at multiples of `size`; the last span is `size` to `2 * size - 1` long, unless it is the only one.

    No span is short: matrix kernels for a few rows sum in another order than those for many.
    """
    starts = list(range(0, max(total - size, 0) + 1, size)) if total >= size else [0]
    return list(zip(starts, [*starts[1:], total], strict=True))
