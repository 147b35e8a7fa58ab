"""Clips too long to hold: their samples are decoded when an extractor asks for them, in the memory of minutes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from .recordings import opened
from .tape import Tape

LONG_SAMPLES = 1 << 24
"""Clips of more samples are streamed: 11.6 minutes at 24 kHz, 64 MiB a channel."""
KEPT_BEHIND_S = 150.0
"""Samples kept behind the last ones decoded: pieces are 20 to 60 s long, and some codecs read a piece four times."""


class LongClip:
    """Samples [start, end) of a recording, read in order; going back further than what is kept decodes again."""

    def __init__(self, tape: Tape, start: int, end: int, channel: int) -> None:
        self._tape, self._start, self._end, self._channel = tape, start, end, channel
        self.num_samples = end - start

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self._tape.info.sample_rate

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.num_samples / self.sample_rate

    def read(self, start: int, end: int) -> np.ndarray:
        """All channels of samples [start, end) of the clip, `[C, end - start]` float32.

        Raises `ClipError` where the recording is broken or ends too early.
        """
        return self._tape.read(self._start + start, self._start + end, self._end, KEPT_BEHIND_S)

    def read_channel(self, start: int, end: int) -> np.ndarray:
        """The clip's own channel of samples [start, end), `[1, end - start]` float32."""
        return self.read(start, end)[self._channel : self._channel + 1]


@contextmanager
def long_clip(item: Mapping[str, Any]) -> Iterator[LongClip]:
    """The clip of a planned item (see `clip_reader.read_clips`), after its recording's hash was checked.

    Raises `ClipError` for a recording that is gone, changed or cannot be opened.
    """
    with opened(item["uri"], item["recording"]) as recording:
        yield LongClip(recording.tape, item["start"], item["end"], item["channel"])
