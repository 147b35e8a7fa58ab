"""Members of a portfolio: models of codes that are mixed code by code, so that each serves where it is best.

A member is fitted anew for every fold, on clips of neither the fold nor the next one. The next fold, on which its
probabilities are known as well, decides the weights. So nothing that scores a clip, weights included, depends on any
clip of its fold: a speaker cannot leak into the models of his own clips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..estimates.interval import paired_difference
from ..ngrams.code_store import CodeStore
from ..ngrams.mixture import fit_weights

CHECK_FRAMES = 50_000
"""Frames of a fold, about, on which weights are chosen."""


class Further(Protocol):
    """Scores clips of one fold by the model that it had of this fold. It can be pickled."""

    def __call__(self, store: CodeStore, fold_of_clip: np.ndarray, fold: int, clips: np.ndarray) -> np.ndarray:
        """`[F, Q]` float32 of the codes of these clips, end to end.

        store: that which was scored, and after its clips those of `clips`, all of this fold.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a member says of a corpus."""

    bits: np.ndarray
    """`[F, Q]` float32 of every code, clips end to end, by a model that knows nothing of the frame's fold."""
    check: np.ndarray
    """`[S, Q]` float32 of the codes of `check_clips`, all folds end to end, by the model of the fold before, which was
    not fitted on these."""
    curve: tuple[float, float, float] | None = None
    """Bits per frame when fitted on a quarter, a half, and all of the training frames, on one sample of held-out
    frames; None where that was not tried."""
    note: str = ""
    """What limits it, in words."""
    further: Further | None = None
    """Scores clips that came later; None for a member that cannot."""


Member = Callable[[CodeStore, np.ndarray], Scored]
"""A model of codes: called with the store and the fold `[N]` of each clip."""


def check_clips(store: CodeStore, fold_of_clip: np.ndarray) -> list[np.ndarray]:
    """Of every fold the clips on which weights are chosen: every so many, some `CHECK_FRAMES` frames."""
    found = [np.flatnonzero(fold_of_clip == fold) for fold in range(int(fold_of_clip.max()) + 1)]
    return [clips[:: max(1, int(store.lengths[clips].sum()) // CHECK_FRAMES)] for clips in found]


@dataclass(frozen=True, slots=True)
class MixedMembers:
    """What each member of a portfolio costs alone, and all of them mixed, over the same frames."""

    members: dict[str, float]
    """Bits per frame, cross-fitted."""
    weights: dict[str, float]
    """In the mixture, mean over codebooks and folds."""
    mixed: float
    best: str
    """The cheapest member."""
    saved: float
    """Bits per frame that the mixture takes off its best member: a hint at how far the bound may still be off."""
    saved_low: float | None
    """95 % interval of `saved` over groups, paired, with `saved_high`; None with fewer than two groups."""
    saved_high: float | None
    notes: dict[str, str]
    """What limits a member, in words, where something does."""


def mix_members(
    members: Mapping[str, Scored], store: CodeStore, fold_of_clip: np.ndarray
) -> tuple[np.ndarray, MixedMembers, np.ndarray]:
    """Bits of every code under the members' mixture, `[F, Q]` float32; the members; weights, `[folds, Q, members]`.

    Each codebook of each fold has its own weights, chosen on the clips of the next fold. Probabilities of single codes
    are mixed, so the mixture is normalised over the entries of a codebook, and so are frames by the chain rule.
    """
    names = list(members)
    fold_of_frame = np.repeat(fold_of_clip, store.lengths)
    sampled = check_clips(store, fold_of_clip)
    ends = np.cumsum([int(store.lengths[clips].sum()) for clips in sampled])
    num_folds, (num_frames, num_codebooks) = len(sampled), members[names[0]].bits.shape
    mixed = np.empty((num_frames, num_codebooks), np.float32)
    weights = np.empty((num_folds, num_codebooks, len(names)))
    for fold in range(num_folds):
        after = (fold + 1) % num_folds
        check = slice(ends[after - 1] if after else 0, ends[after])
        frames = np.flatnonzero(fold_of_frame == fold)
        for q in range(num_codebooks):
            chosen = np.stack([members[name].check[check, q] for name in names], axis=1).astype(np.float64)
            weights[fold, q] = fit_weights(2.0**-chosen, smallest=0.0)
            own = np.stack([members[name].bits[frames, q] for name in names], axis=1)
            mixed[frames, q] = mixed_bits(own, weights[fold, q])
    alone = {name: float(found.bits.sum(1, dtype=np.float64).mean()) for name, found in members.items()}
    best = min(alone, key=lambda name: alone[name])
    saved = paired_difference(
        (_by_clip(members[best].bits, store), _by_clip(mixed, store)), (store.lengths, store.lengths), store.groups
    )
    found = MixedMembers(
        members=alone,
        weights=dict(zip(names, weights.mean((0, 1)).tolist(), strict=True)),
        mixed=float(mixed.sum(1, dtype=np.float64).mean()),
        best=best,
        saved=saved.value,
        saved_low=saved.low if saved.has_width else None,
        saved_high=saved.high if saved.has_width else None,
        notes={name: found.note for name, found in members.items() if found.note},
    )
    return mixed, found, weights


def mixed_bits(bits: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Bits `[F]` of codes whose members give `[F, M]` bits, mixed with `[M]` weights."""
    return -np.log2(2.0 ** -bits.astype(np.float64) @ weights)


def _by_clip(bits: np.ndarray, store: CodeStore) -> np.ndarray:
    """Sum of `[F, Q]` over the frames of each clip, `[N]`."""
    starts = np.cumsum(store.lengths) - store.lengths
    return np.add.reduceat(bits.sum(1, dtype=np.float64), starts)
