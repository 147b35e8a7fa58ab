"""An open recording that is read forwards, by one reader after the other: each goes on where the last one ended.

Formats whose seeks are not exact have to be decoded from their beginning. A unit of work takes some minutes of a
recording; if each began anew, a recording of hours would cost its square.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import numpy as np

from ...schemas.errors import ClipError
from ...schemas.tables import FailureReason
from .decode import AudioInfo, Reader, open_audio
from .held import Sound

KEPT_BEHIND_S = 60.0
"""Of samples behind the last ones decoded, where a seek is not exact: channels of a clip may be in two units."""


class Tape:
    """Blocks of a recording from wherever they are asked for; going back further than what is kept decodes again."""

    def __init__(self, path: Sound) -> None:
        """Raises `ClipError` for what cannot be decoded."""
        self.path = path
        self._open = ExitStack()
        self._reopen()

    @property
    def info(self) -> AudioInfo:
        """Facts of the file."""
        return self._reader.info

    def blocks(self, start: int = 0, kept_s: float | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """`(first sample, [C, T] float32)` from `start` or earlier, in order, contiguous.

        kept_s: how far a later call may go back without decoding again; default: nothing where seeks are exact.
        """
        begin = self._held[0][0] if self._held else self._position
        if start < begin and not self._reader.seeks:
            self._reopen()
        elif not begin <= start <= self._position and self._reader.seeks:
            self._held.clear()
            self._blocks, self._position = self._reader.blocks(start), start
        if kept_s is None:
            kept_s = 0.0 if self._reader.seeks else KEPT_BEHIND_S
        kept = int(kept_s * self.info.sample_rate)
        yield from [(first, block) for first, block in self._held if first + block.shape[1] > start]
        for first, block in self._blocks:
            self._held.append((first, block))
            self._position = first + block.shape[1]
            while self._held[0][0] + self._held[0][1].shape[1] <= self._position - max(kept, 1):
                self._held.popleft()
            yield first, block

    def read(self, start: int, end: int, needed: int, kept_s: float) -> np.ndarray:
        """All channels of samples [start, end), `[C, end - start]` float32.

        needed: the last sample that somebody will ask for, to say so. Raises `ClipError` where the recording is broken
        or ends too early.
        """
        out = np.empty((self.info.num_channels, end - start), np.float32)
        if start == end:
            return out
        for first, block in self.blocks(start, kept_s):
            low, high = max(start, first), min(end, first + block.shape[1])
            if low < high:
                out[:, low - start : high - start] = block[:, low - first : high - first]
            if high == end:
                return out
        raise self.ends_early(needed)

    def ends_early(self, needed: int) -> ClipError:
        """The error of a recording that has no sample `needed`."""
        return ClipError(
            FailureReason.CORRUPT,
            f"{self.path.name}: ends at sample {self._position}, a clip in it needs sample {needed}",
        )

    def close(self) -> None:
        """Close the recording."""
        self._open.close()
        self._held.clear()

    def _reopen(self) -> None:
        self._open.close()
        self._reader: Reader = self._open.enter_context(open_audio(self.path))
        self._blocks = self._reader.blocks()
        self._held: deque[tuple[int, np.ndarray]] = deque()
        self._position = 0


def read_spans(tape: Tape, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], np.ndarray, int]]:
    """Decode the sample spans [start, end) of a recording, ascending, in one pass.

    Yields `(span, [C, end - start] float32, sample_rate)`; memory holds the spans that overlap one block.
    Raises `ClipError` when the recording is shorter than a span or holds values that are not finite.
    """
    todo = deque(sorted(set(spans)))
    # filled in place: a clip of hours is never held twice
    held: dict[tuple[int, int], np.ndarray] = {}
    if not todo:
        return
    for first, block in tape.blocks(todo[0][0]):
        position = first + block.shape[1]
        while todo and todo[0][0] < position:
            span = todo.popleft()
            held[span] = np.empty((block.shape[0], span[1] - span[0]), np.float32)
        for span in list(held):
            low, high = max(span[0], first), min(span[1], position)
            if low < high:
                held[span][:, low - span[0] : high - span[0]] = block[:, low - first : high - first]
            if span[1] <= position:
                yield span, held.pop(span), tape.info.sample_rate
        if not todo and not held:
            return
    raise tape.ends_early(max(span[1] for span in (*todo, *held)))
