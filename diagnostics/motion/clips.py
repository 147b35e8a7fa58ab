"""A bounded sample of clips in memory, and the same clips with their frames shuffled in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..estimates.folds import folds_of_clips, sample_clips

MAX_FRAMES, MAX_VALUES = 20_000, 4_000_000
"""Of a sample, and of 4 bytes each: the less of the two."""
MAX_TRAINING_FRAMES, MAX_TRAINING_VALUES = 200_000, 40_000_000
"""The same where a network is trained on it."""
PARTS = 50
"""Where there are as many clips, none gives more than one part in so many of the sample."""
SHORTEST = 3


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """Clips of one dimension, and the fold and group of each."""

    frames: list[np.ndarray]
    """`[T, D]` float32 each."""
    keys: list[str]
    groups: list[str]
    fold: np.ndarray
    """`[N]`; a fold holds whole groups."""
    num_folds: int
    folds: str
    """In words."""

    @classmethod
    def of(cls, kept: Mapping[str, tuple[str, np.ndarray]], *, group_kind: str, seed: int = 0) -> Clips:
        """kept: clip to its group and latents `[D, T]`. Leaves out what is no latents of the first clip's dimension,
        not finite, or shorter than three frames."""
        usable = {}
        dim = 0
        for key in sorted(kept):
            group, latents = kept[key]
            fits = latents.ndim == 2 and np.issubdtype(latents.dtype, np.floating) and latents.shape[1] >= SHORTEST
            if fits and latents.shape[0] == (dim or latents.shape[0]) and np.isfinite(latents).all():
                dim = latents.shape[0]
                usable[key] = group, np.ascontiguousarray(latents.T, np.float32)
        index = [(key, group, frames.shape[0]) for key, (group, frames) in usable.items()]
        folds = folds_of_clips(index, group_kind=group_kind, seed=seed)
        fold = np.array([folds.fold_of(key, group) for key, group, _ in index], np.int64)
        frames = [frames for _, frames in usable.values()]
        groups = [group for _, group, _ in index]
        return cls(frames, list(usable), groups, fold, folds.num_folds, folds.describe())

    @property
    def num_frames(self) -> int:
        """Of all clips."""
        return sum(each.shape[0] for each in self.frames)

    @property
    def dim(self) -> int:
        """0 without clips."""
        return self.frames[0].shape[1] if self.frames else 0

    def shuffled(self, seed: int) -> Clips:
        """The frames of each clip in random order: time is gone, all else is as it was."""
        rng = np.random.default_rng(seed)
        mixed = [rng.permutation(each) for each in self.frames]
        return Clips(mixed, self.keys, self.groups, self.fold, self.num_folds, self.folds)


def beginnings(
    index: Sequence[tuple[str, str, int]],
    dim: int,
    *,
    max_frames: int = MAX_FRAMES,
    max_values: int = MAX_VALUES,
    seed: int = 0,
) -> dict[str, int]:
    """Clips of `dim` dimensions to take and how many frames of each, spread over groups.

    index: (key, group, frames) of every clip. Of a clip that is longer than its share of the sample the first frames
    are taken.
    """
    max_frames = min(max_frames, max_values // dim)
    if sum(frames for _, _, frames in index) <= max_frames:
        return {key: frames for key, _, frames in index}
    longest = max(max_frames // min(PARTS, len(index)), SHORTEST)
    cut = [(key, group, min(frames, longest)) for key, group, frames in index]
    chosen = sample_clips(cut, max_frames, seed=seed)
    return {key: frames for key, _, frames in cut if key in chosen}


def training_clips(index: Sequence[tuple[str, str, int]], dim: int, *, seed: int = 0) -> dict[str, int]:
    """`beginnings` of the larger sample that a network is trained on."""
    return beginnings(index, dim, max_frames=MAX_TRAINING_FRAMES, max_values=MAX_TRAINING_VALUES, seed=seed)
