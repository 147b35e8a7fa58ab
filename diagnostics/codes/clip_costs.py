"""What each clip costs, split so that its repeatability can be measured, with and without its level and pauses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..estimates.repeatability import repeatability
from .code_rate import CodeRate
from .code_store import CodeStore
from .sound import VOICED, frame_sound, left_over

BLOCK_S = 2.0
"""Shorter blocks say which syllable they hold, not how hard the clip is."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipCosts:
    """Arrays hold one value or two per clip. Bits are cross-fitted."""

    hard_bits: np.ndarray
    """`[N]` what level and voicing do not explain, plus what a clip of its length costs on average; where no clip has
    sound, all bits; NaN where this clip has none."""
    split_half: np.ndarray
    """`[N, 2]` `hard_bits` of the first and the second half."""
    split_half_seconds: np.ndarray
    blocks: np.ndarray
    """`[N, 2]` `hard_bits` of every other block of 2 s, and of those between."""
    block_seconds: np.ndarray
    reducible_bits: np.ndarray
    """`[N]` what the fitted contexts save over knowing only how often each entry occurs: noise has little of it."""
    voiced_seconds: np.ndarray
    """`[N]`; NaN without sound."""
    explained: float | None
    """Share of the variance of frames' bits that level and voicing explain, held out; None without sound."""
    raw_repeatability: float | None
    """Correlation, within speakers, of the bits/s of a clip's first and second half."""
    split_half_repeatability: float | None
    """The same of `hard_bits`."""
    block_repeatability: float | None
    """The same over alternate blocks of 2 s."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without the arrays."""
        return {
            "explained_by_level_and_voicing": self.explained,
            "raw_repeatability": self.raw_repeatability,
            "split_half_repeatability": self.split_half_repeatability,
            "block_repeatability": self.block_repeatability,
        }


def clip_costs(
    store: CodeStore, rate: CodeRate, frame_rate: float, sound: Mapping[str, np.ndarray] | None
) -> ClipCosts:
    """From a measured rate and the sound of clips, `[2, T]` by key."""
    sums = ClipSums(store.lengths, frame_rate)
    seconds = np.stack((sums.half_seconds(), sums.block_seconds()))
    if not rate.frame_bits.shape[0]:
        none, two = np.full(len(store), np.nan), np.full((len(store), 2), np.nan)
        return ClipCosts(none, two, seconds[0], two, seconds[1], none, none, None, None, None, None)
    bits = rate.frame_bits.astype(np.float64)
    raw = sums.split_half(bits)
    voiced, explained = np.full(len(store), np.nan), None
    hard = bits
    sounds, known = frame_sound(sound or {}, store.keys, store.lengths)
    if known.sum() > len(store) / 2:
        clip = np.repeat(np.arange(len(store)), store.lengths)
        heard = known[clip]
        left, explained = left_over(bits[heard], sounds[:, heard], clip[heard], rate.fold_of_clip[clip[heard]])
        hard = np.full(bits.shape[0], np.nan)
        hard[heard] = left + bits[heard].mean()
        voiced[known] = sums.clips(sounds[1] > VOICED)[known] / frame_rate
    halves, blocks = sums.split_half(hard), sums.blocks(hard)
    return ClipCosts(
        halves.sum(1),
        halves,
        seconds[0],
        blocks,
        seconds[1],
        rate.small_bits - rate.bits,
        voiced,
        explained,
        repeatability(raw, seconds[0], store.groups),
        repeatability(halves, seconds[0], store.groups),
        repeatability(blocks, seconds[1], store.groups),
    )


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
