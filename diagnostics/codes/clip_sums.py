"""Sums over clips, their halves and their blocks, of what every frame costs."""

from __future__ import annotations

import numpy as np

BLOCK_S = 2.0
"""Shorter blocks say which syllable they hold, not how hard the clip is."""


class ClipSums:
    """Frames of clips laid end to end, and where clips, halves and blocks of `BLOCK_S` begin."""

    def __init__(self, lengths: np.ndarray, frame_rate: float) -> None:
        """lengths: `[N]` frames of each clip."""
        self.lengths = lengths
        self.offsets = np.cumsum(lengths) - lengths
        self.num_frames = int(lengths.sum())
        self._frame_rate = frame_rate
        within = np.arange(self.num_frames) - np.repeat(self.offsets, lengths)
        clip = np.repeat(np.arange(lengths.shape[0]), lengths)
        second = (2 * within >= np.repeat(lengths, lengths)).astype(np.int64)
        block = within // max(1, round(BLOCK_S * frame_rate))
        # a last block that is cut short belongs to the one before
        most = np.maximum(np.repeat(lengths // max(1, round(BLOCK_S * frame_rate)), lengths) - 1, 0)
        self._half, self._block = 2 * clip + second, 2 * clip + np.minimum(block, most) % 2

    def clips(self, of_frame: np.ndarray) -> np.ndarray:
        """`[N]`"""
        return self.split_half(of_frame).sum(1)

    def split_half(self, of_frame: np.ndarray) -> np.ndarray:
        """`[N, 2]` over the first and the second half of each clip."""
        return self._two(self._half, of_frame)

    def blocks(self, of_frame: np.ndarray) -> np.ndarray:
        """`[N, 2]` over every other block of `BLOCK_S`, and the blocks between."""
        return self._two(self._block, of_frame)

    def half_seconds(self) -> np.ndarray:
        """`[N, 2]`"""
        return self.split_half(np.ones(self.num_frames)) / self._frame_rate

    def block_seconds(self) -> np.ndarray:
        """`[N, 2]`; nothing in the second column where a clip is shorter than two blocks."""
        return self.blocks(np.ones(self.num_frames)) / self._frame_rate

    def _two(self, at: np.ndarray, of_frame: np.ndarray) -> np.ndarray:
        return np.bincount(at, of_frame, 2 * self.lengths.shape[0]).reshape(-1, 2)
