"""Clips too long to hold: their samples are decoded when an extractor asks for them, in the memory of a minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...schemas.errors import ClipError
from ...schemas.tables import FailureReason
from .clip_reader import checked_file
from .decode import Reader, open_audio

LONG_SAMPLES = 1 << 24
"""Clips of more samples are streamed: 11.6 minutes at 24 kHz, 64 MiB a channel."""
KEPT_BEHIND_S = 90.0
"""Samples kept behind the last ones asked for: pieces are 20 to 60 s long, and some codecs read a piece four times."""


class LongClip:
    """Samples [start, end) of a recording, read in order; going back further than what is kept decodes again."""

    def __init__(self, path: Path, start: int, end: int, channel: int) -> None:
        self._path, self._start, self._channel = path, start, channel
        self.num_samples = end - start
        self._open = ExitStack()
        self._restart(start)

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self._reader.info.sample_rate

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.num_samples / self.sample_rate

    def read(self, start: int, end: int) -> np.ndarray:
        """All channels of samples [start, end) of the clip, `[C, end - start]` float32.

        Raises `ClipError` where the recording is broken or ends too early.
        """
        first, last = self._start + start, self._start + end
        if self._held and first < self._held[0][0]:
            self._restart(first)
        while self._position < last:
            self._pull()
        # what an extractor may still look back at stays
        behind = first - int(KEPT_BEHIND_S * self.sample_rate)
        while self._held and self._held[0][0] + self._held[0][1].shape[1] <= behind:
            self._held.popleft()
        out = np.empty((self._reader.info.num_channels, end - start), np.float32)
        for at, block in self._held:
            low, high = max(first, at), min(last, at + block.shape[1])
            if low < high:
                out[:, low - first : high - first] = block[:, low - at : high - at]
        return out

    def read_channel(self, start: int, end: int) -> np.ndarray:
        """The clip's own channel of samples [start, end), `[1, end - start]` float32."""
        return self.read(start, end)[self._channel : self._channel + 1]

    def close(self) -> None:
        """Close the recording."""
        self._open.close()

    def _restart(self, first: int) -> None:
        self._open.close()
        self._reader: Reader = self._open.enter_context(open_audio(self._path))
        self._blocks = self._reader.blocks(first)
        self._held: deque[tuple[int, np.ndarray]] = deque()
        self._position = 0

    def _pull(self) -> None:
        found = next(self._blocks, None)
        if found is None:
            raise ClipError(
                FailureReason.CORRUPT,
                f"{self._path.name}: ends at sample {self._position}, a clip in it needs sample "
                f"{self._start + self.num_samples}",
            )
        at, block = found
        self._position = at + block.shape[1]
        if self._position > self._start:
            self._held.append((at, block))


@contextmanager
def long_clip(item: Mapping[str, Any]) -> Iterator[LongClip]:
    """The clip of a planned item (see `clip_reader.read_clips`), after its recording's hash was checked.

    Raises `ClipError` for a recording that is gone, changed or cannot be opened.
    """
    with checked_file(item["uri"], item["recording"]) as path:
        clip = LongClip(path, item["start"], item["end"], item["channel"])
        try:
            yield clip
        finally:
            clip.close()
