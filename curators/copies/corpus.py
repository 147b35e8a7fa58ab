"""The fingerprints of a corpus, end to end in files without a name: as many as there are, whatever the memory."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from .fingerprint import HEADER, Fingerprint, sizes

MIN_DURATION_S = 2.0
"""Shorter clips have too few words to tell a copy from a coincidence; equal PCM is their only duplicate."""


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """All fingerprints. word_start, anchor_start: `[N + 1]` int64 offsets of each clip's in `words` uint32, and in
    `anchors` uint32 and `sketches` uint64, which are mapped files."""

    words: np.ndarray
    word_start: np.ndarray
    anchors: np.ndarray
    sketches: np.ndarray
    anchor_start: np.ndarray
    audible: np.ndarray
    """`[N]` int64: words that are not silent."""
    _maps: list[mmap.mmap] = field(default_factory=list)

    def one(self, clip: int) -> Fingerprint:
        """The fingerprint of one clip."""
        words = slice(self.word_start[clip], self.word_start[clip + 1])
        anchors = slice(self.anchor_start[clip], self.anchor_start[clip + 1])
        return Fingerprint(self.words[words], self.anchors[anchors], self.sketches[anchors])

    def clip_of(self, anchor: np.ndarray) -> np.ndarray:
        """`[M]` int64: which clip each anchor is of."""
        return np.searchsorted(self.anchor_start, anchor, side="right") - 1

    def forget(self) -> None:
        """Let go of the pages that were read: they stay in the system's cache, not in this process."""
        for mapped in self._maps:
            mapped.madvise(mmap.MADV_DONTNEED)


def gather(
    keys: Sequence[str] | pa.ChunkedArray,
    fingerprints: Iterable[bytes | None],
    durations_s: np.ndarray,
    folder: Path | None = None,
) -> Corpus:
    """The fingerprints of clips that are long enough; the others contribute nothing.

    keys: names of the clips, for messages. folder: where the files lie, which go with the corpus; the system's
    temporary folder if None. Raises ValueError for what is no fingerprint, and for more or fewer than keys.
    """
    num = len(keys)
    word_start, anchor_start = np.zeros(num + 1, dtype=np.int64), np.zeros(num + 1, dtype=np.int64)
    audible = np.zeros(num, dtype=np.int64)
    # the mapping keeps an unlinked file until it is let go
    with (
        tempfile.TemporaryFile(dir=folder) as words,
        tempfile.TemporaryFile(dir=folder) as anchors,
        tempfile.TemporaryFile(dir=folder) as sketches,
    ):
        # zip says so when there are more or fewer fingerprints
        for k, data in zip(range(num), fingerprints, strict=True):
            if data is None or durations_s[k] < MIN_DURATION_S:
                continue
            try:
                anchor_start[k + 1], word_start[k + 1] = sizes(data)
            except ValueError as error:
                raise ValueError(f"clip '{keys[k]}': {error}") from None
            first = HEADER.size + 4 * int(anchor_start[k + 1])
            second = first + 8 * int(anchor_start[k + 1])
            anchors.write(data[HEADER.size : first])
            sketches.write(data[first:second])
            words.write(data[second:])
            audible[k] = np.count_nonzero(np.frombuffer(data, "<u4", offset=second))
        maps: list[mmap.mmap] = []
        arrays = [_mapped(file, kind, maps) for file, kind in ((words, "<u4"), (anchors, "<u4"), (sketches, "<u8"))]
    np.cumsum(word_start, out=word_start)
    np.cumsum(anchor_start, out=anchor_start)
    return Corpus(arrays[0], word_start, arrays[1], arrays[2], anchor_start, audible, maps)


def _mapped(file: IO[bytes], kind: str, maps: list[mmap.mmap]) -> np.ndarray:
    file.flush()
    if not file.tell():
        return np.zeros(0, dtype=kind)
    maps.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return np.frombuffer(maps[-1], dtype=kind)
