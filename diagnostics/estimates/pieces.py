"""Clips beyond those that models are fitted on: scored in pieces, each by whoever has time.

A corpus may be larger than any memory, and models are fitted on a bounded number of frames anyway. So as many clips as
are needed for that are held, spread over all groups. All others are read and scored where they are stored; what is left
of a piece is a few numbers per clip.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from .folds import Folds

Index = Sequence[tuple[str, str, int]]
"""(clip, group, frames) of every clip."""


class ClipSource(Protocol):
    """Reads clips of a corpus where they are stored. It can be pickled."""

    def arrays(self, clips: Collection[str]) -> Iterable[tuple[str, np.ndarray]]:
        """(clip, codes `[K, T]` or latents `[D, T]`) of these clips."""
        ...


Source = TypeVar("Source", bound=ClipSource, covariant=True)


@dataclass(frozen=True, slots=True)
class Corpus(Generic[Source]):
    """All clips, of which some are held."""

    index: Index
    source: Source


def pieces(index: Index, folds: Folds, held: Collection[str], most: int) -> Iterator[tuple[int, dict[str, str]]]:
    """(fold, clips with the group of each) for all clips but those in `held`, in the order of the index, at most `most`
    frames in a piece of several clips."""
    of_fold: dict[int, list[tuple[str, str, int]]] = {}
    for key, group, frames in index:
        if key not in held:
            of_fold.setdefault(folds.fold_of(key, group), []).append((key, group, frames))
    for fold in sorted(of_fold):
        clips: dict[str, str] = {}
        total = 0
        for key, group, frames in of_fold[fold]:
            if clips and total + frames > most:
                yield fold, clips
                clips, total = {}, 0
            clips[key] = group
            total += frames
        yield fold, clips
