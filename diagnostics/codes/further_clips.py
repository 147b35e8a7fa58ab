"""Clips of codes beyond those that are held in memory, on which models are fitted (`estimates.pieces`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..estimates.pieces import ClipSource
from ..ngrams.code_store import CodeStore
from .clip_costs import ClipBits, FrameSums
from .fitted_codes import FittedCodes
from .sound import frame_sound

PIECE_FRAMES = 8_000_000
"""Of a piece, at most: some 1.5 GB for eight codebooks. A piece fits the models of its fold again, so small ones are a
waste."""


class CodeSource(ClipSource, Protocol):
    """Reads codes `[K, T]` of clips, and their sound."""

    def sound(self, clips: Collection[str]) -> Mapping[str, np.ndarray] | None:
        """`[2, T]` of those of these clips that have it, as `sound.SOUND_ROWS` orders them."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FurtherJob:
    """A piece: clips of one fold."""

    fitted: FittedCodes
    sums: FrameSums
    source: CodeSource
    fold: int
    clips: Mapping[str, str]
    """With the group of each."""


@dataclass(frozen=True, slots=True, eq=False)
class FurtherClips:
    """What a piece came to; clips in the order in which they were read."""

    keys: list[str]
    groups: list[str]
    clips: ClipBits
    skipped: dict[str, int]
    """Clips left out, by reason."""


def score_further(job: FurtherJob) -> FurtherClips:
    """Read the clips of a piece and score them."""
    more, skipped = CodeStore(job.fitted.store.cardinality), Counter[str]()
    more.num_codebooks = job.fitted.store.num_codebooks
    for key, codes in job.source.arrays(job.clips):
        reason = more.add(key, job.clips[key], codes)
        if reason:
            skipped[reason] += 1
    more.close()
    if not len(more):
        return FurtherClips([], [], ClipBits.unmeasured(more.lengths), dict(skipped))
    bits, small_bits = job.fitted.bits(more, job.fold)
    sound = job.source.sound(more.keys) if job.sums.regression is not None else None
    sounds, known = frame_sound(sound or {}, more.keys, more.lengths)
    folds = np.full(len(more), job.fold, np.int64)
    clips = job.sums.of(bits.sum(1), small_bits, more.lengths, folds, sounds, known)
    return FurtherClips(more.keys, more.groups, clips, dict(skipped))
