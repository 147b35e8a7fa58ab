"""Clips beyond those that are held in memory: scored in pieces, by models fitted on those that are.

A corpus may be larger than any memory, and models of counts are fitted on a bounded number of frames anyway. So as many
clips as are needed for that are held, spread over all speakers. All others are scored in pieces, each by whoever has
time, from where they are stored; what is left of a piece is a few numbers per clip.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..estimates.folds import Folds
from ..ngrams.code_store import CodeStore
from .clip_costs import ClipBits, FrameSums
from .fitted_codes import FittedCodes
from .sound import frame_sound

PIECE_FRAMES = 8_000_000
"""Of a piece, at most: some 1.5 GB for eight codebooks. A piece fits the models of its fold again, so small ones are a
waste."""
Index = Sequence[tuple[str, str, int]]
"""(clip, group, frames) of every clip."""


class ClipSource(Protocol):
    """Reads clips of a corpus where they are stored. It can be pickled."""

    def codes(self, clips: Collection[str]) -> Iterable[tuple[str, np.ndarray]]:
        """(clip, codes `[K, T]`) of these clips."""
        ...

    def sound(self, clips: Collection[str]) -> Mapping[str, np.ndarray] | None:
        """`[2, T]` of those of these clips that have it, as `sound.SOUND_ROWS` orders them."""
        ...


@dataclass(frozen=True, slots=True)
class Corpus:
    """All clips, of which some are held."""

    index: Index
    source: ClipSource


@dataclass(frozen=True, slots=True, eq=False)
class FurtherJob:
    """A piece: clips of one fold."""

    fitted: FittedCodes
    sums: FrameSums
    source: ClipSource
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


def pieces(
    fitted: FittedCodes, sums: FrameSums, folds: Folds, corpus: Corpus, held: Collection[str], most: int
) -> Iterator[FurtherJob]:
    """Jobs for all clips but those in `held`, in the order of the index, at most `most` frames each."""
    of_fold: dict[int, list[tuple[str, str, int]]] = {}
    for key, group, frames in corpus.index:
        if key not in held:
            of_fold.setdefault(folds.fold_of(key, group), []).append((key, group, frames))
    for fold in sorted(of_fold):
        clips: dict[str, str] = {}
        total = 0
        for key, group, frames in of_fold[fold]:
            if clips and total + frames > most:
                yield FurtherJob(fitted, sums, corpus.source, fold, clips)
                clips, total = {}, 0
            clips[key] = group
            total += frames
        yield FurtherJob(fitted, sums, corpus.source, fold, clips)


def score_further(job: FurtherJob) -> FurtherClips:
    """Read the clips of a piece and score them."""
    more, skipped = CodeStore(job.fitted.store.cardinality), Counter[str]()
    more.num_codebooks = job.fitted.store.num_codebooks
    for key, codes in job.source.codes(job.clips):
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
