"""What each clip costs, split so that its repeatability can be measured, with and without its level and pauses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..estimates.repeatability import repeatability
from ..ngrams.code_store import CodeStore
from .code_rate import CodeRate
from .sound import VOICED, SoundRegression, frame_sound

BLOCK_S = 2.0
"""Shorter blocks say which syllable they hold, not how hard the clip is."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipBits:
    """Sums over the frames of each clip. Bits are cross-fitted. Hard ones are what level and voicing do not explain,
    plus what a frame costs on average; all bits where no clip has sound, NaN where this clip has none."""

    lengths: np.ndarray
    """`[N]` frames."""
    bits: np.ndarray
    """`[N]`"""
    small_bits: np.ndarray
    """`[N]` under how often each entry occurs."""
    halves: np.ndarray
    """`[N, 2]` bits of the first and the second half."""
    hard_halves: np.ndarray
    """`[N, 2]`"""
    hard_blocks: np.ndarray
    """`[N, 2]` of every other block of 2 s, and of those between."""
    voiced_seconds: np.ndarray
    """`[N]`; NaN without sound."""

    @classmethod
    def joined(cls, parts: Sequence[ClipBits]) -> ClipBits:
        """Clips of all parts, in their order."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    @classmethod
    def unmeasured(cls, lengths: np.ndarray) -> ClipBits:
        """Of clips that could not be cross-fitted."""
        none, two = np.full(lengths.shape[0], np.nan), np.full((lengths.shape[0], 2), np.nan)
        return cls(lengths, none, none, two, two, two, none)


@dataclass(frozen=True, slots=True)
class FrameSums:
    """From bits of frames to sums of clips."""

    frame_rate: float
    regression: SoundRegression | None
    """None: most clips that it would be fitted on have no sound."""

    def of(
        self,
        frame_bits: np.ndarray,
        small_bits: np.ndarray,
        lengths: np.ndarray,
        fold_of_clip: np.ndarray,
        sounds: np.ndarray,
        known: np.ndarray,
    ) -> ClipBits:
        """frame_bits: `[F]`, clips end to end. small_bits, lengths, fold_of_clip: `[N]`. sounds, known: as
        `frame_sound` gives them."""
        bits, sums = frame_bits.astype(np.float64), ClipSums(lengths, self.frame_rate)
        hard, voiced = bits, np.full(lengths.shape[0], np.nan)
        if self.regression is not None:
            clip = np.repeat(np.arange(lengths.shape[0]), lengths)
            heard = known[clip]
            left = self.regression.left_over(bits[heard], sounds[:, heard], clip[heard], fold_of_clip[clip[heard]])
            hard = np.full(bits.shape[0], np.nan)
            hard[heard] = left + self.regression.mean_bits
            voiced[known] = sums.clips(sounds[1] > VOICED)[known] / self.frame_rate
        starts = np.cumsum(lengths) - lengths
        total = np.add.reduceat(bits, starts) if lengths.size else bits
        return ClipBits(
            lengths, total, small_bits, sums.split_half(bits), sums.split_half(hard), sums.blocks(hard), voiced
        )


def sums_of_frames(
    store: CodeStore, rate: CodeRate, frame_rate: float, sound: Mapping[str, np.ndarray] | None
) -> tuple[ClipBits, FrameSums]:
    """Sums over a measured rate's frames, with the sound of clips, `[2, T]` by key; and how they were made."""
    if not rate.frame_bits.shape[0]:
        return ClipBits.unmeasured(store.lengths), FrameSums(frame_rate, None)
    sounds, known = frame_sound(sound or {}, store.keys, store.lengths)
    regression = None
    if known.sum() > len(store) / 2:
        clip = np.repeat(np.arange(len(store)), store.lengths)
        heard = known[clip]
        fold = rate.fold_of_clip[clip[heard]]
        bits = rate.frame_bits[heard].astype(np.float64)
        regression = SoundRegression.fit(bits, sounds[:, heard], clip[heard], fold)
    sums = FrameSums(frame_rate, regression)
    return sums.of(rate.frame_bits, rate.small_bits, store.lengths, rate.fold_of_clip, sounds, known), sums


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

    @classmethod
    def of(cls, clips: ClipBits, groups: Sequence[str], sums: FrameSums) -> ClipCosts:
        """groups: speaker, else recording, of each clip."""
        counted = ClipSums(clips.lengths, sums.frame_rate)
        half_seconds, block_seconds = counted.half_seconds(), counted.block_seconds()
        if not np.isfinite(clips.bits).any():
            repeated: tuple[float | None, ...] = (None, None, None)
        else:
            repeated = (
                repeatability(clips.halves, half_seconds, groups),
                repeatability(clips.hard_halves, half_seconds, groups),
                repeatability(clips.hard_blocks, block_seconds, groups),
            )
        return cls(
            clips.hard_halves.sum(1),
            clips.hard_halves,
            half_seconds,
            clips.hard_blocks,
            block_seconds,
            clips.small_bits - clips.bits,
            clips.voiced_seconds,
            None if sums.regression is None else sums.regression.explained,
            *repeated,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without the arrays."""
        return {
            "explained_by_level_and_voicing": self.explained,
            "raw_repeatability": self.raw_repeatability,
            "split_half_repeatability": self.split_half_repeatability,
            "block_repeatability": self.block_repeatability,
        }


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
