"""The models of a measured code rate, for clips that were not there when they were fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..ngrams.code_store import CodeStore
from ..ngrams.codebook_model import ENTRIES_ONLY, CodebookModel, Mixture
from .codebook_job import scoring_chunks
from .members import Further, mixed_bits


@dataclass(frozen=True, slots=True, eq=False)
class FittedCodes:
    """What was fitted, as what it was fitted on and what was chosen: the tables of all folds would take gigabytes."""

    store: CodeStore
    fold_of_clip: np.ndarray
    """`[N]`"""
    positions: np.ndarray
    """`[F]` training frames in the store."""
    parts: np.ndarray
    """`[F]` fold and bucket of each, as `CodebookModel` has them."""
    mixtures: list[list[Mixture]]
    """Of every codebook and fold."""
    members: Mapping[str, Further | None]
    """Besides the counts, in the order of `weights`."""
    weights: np.ndarray | None
    """`[folds, Q, 1 + members]`; None where counting is the only one."""

    def require_further(self) -> None:
        """Raises ValueError for a member that cannot score further clips."""
        cannot = [name for name, further in self.members.items() if further is None]
        if cannot:
            raise ValueError(f"{', '.join(cannot)}: scores no clips but those it was fitted with; hold all clips")

    def bits(self, more: CodeStore, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """(`[F, Q]` float32 bits of every code, `[N]` bits under how often each entry occurs) of the clips of another
        closed store, all of one fold. Models of the fold heard no other clip of it, so they never heard these groups.
        """
        store = self.store.joined(more)
        folds = np.concatenate([self.fold_of_clip, np.full(len(more), fold, np.int64)])
        clips = np.arange(len(self.store), len(store))
        bits = np.empty((int(more.lengths.sum()), store.num_codebooks), np.float32)
        small_bits = np.zeros(len(more))
        num_folds = int(self.fold_of_clip.max()) + 1
        for q, mixtures in enumerate(self.mixtures):
            model = CodebookModel(store, q, self.positions, self.parts, num_folds)
            fitted, small = model.fit(mixtures[fold], fold), model.fit(ENTRIES_ONLY, fold)
            done = 0
            for at, clip, _ in scoring_chunks(store, clips):
                bits[done : done + at.shape[0], q] = fitted.bits(at)
                small_bits += np.bincount(clip - len(self.store), small.bits(at), len(more))
                done += at.shape[0]
        if self.weights is None:
            return bits, small_bits
        each = [bits]
        for further in self.members.values():
            assert further is not None, "require_further() comes first"
            each.append(further(store, folds, fold, clips))
        for q in range(store.num_codebooks):
            own = np.stack([found[:, q] for found in each], axis=1)
            bits[:, q] = mixed_bits(own, self.weights[fold, q])
        return bits, small_bits
