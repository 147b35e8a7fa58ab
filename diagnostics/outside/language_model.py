"""A language model of codes that somebody else trained: a valid bound as it is, once it is checked to be one.

A model's code length bounds the entropy rate from above if its probabilities sum to one and depend on nothing but what
comes before. Both are checked: the sums on every code, the order on the first clip, by changing what comes later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from ...schemas.errors import ConfigError
from ..codes.members import Scored, check_clips
from ..ngrams.code_store import CodeStore

PIECE_FRAMES = 2048
"""Longer clips are given in pieces of so many frames, each of which begins without a past: a looser bound, in bounded
memory."""
_SUM_TOLERANCE = 1e-3
_LATER_TOLERANCE = 1e-4
_UNIFORM = 1e-6
"""Share of a uniform distribution that is mixed in, lest an entry of probability 0 costs endless bits."""


@runtime_checkable
class CodeLanguageModel(Protocol):
    """What a package registers under `auricle.language_models`."""

    name: str
    """The same as the entry point's."""

    def knows(self, codec: str, num_codebooks: int, cardinality: int, frame_rate: float) -> bool:
        """Whether it was trained on such codes. It is left out for others."""
        ...

    def probabilities(self, codes: np.ndarray) -> np.ndarray:
        """Of every entry of every codebook, `[T, Q, cardinality]`, for the codes `[T, Q]` int64 of a clip.

        Row (t, q) may depend on frames before t, and on codebooks above q of frame t.
        """
        ...


@dataclass(frozen=True, slots=True)
class OutsideMember:
    """Call it with a store and the fold of each clip."""

    model: CodeLanguageModel

    def __call__(self, store: CodeStore, fold_of_clip: np.ndarray) -> Scored:
        """Score every clip. Raises `ConfigError` where the model is none: a wrong shape, sums other than one, or
        probabilities that depend on what comes later."""
        self._require_order(_codes(store, 0)[:PIECE_FRAMES], store.cardinality)
        each = [self._bits(_codes(store, clip), store.cardinality) for clip in range(len(store))]
        check = [each[clip] for clips in check_clips(store, fold_of_clip) for clip in clips]
        note = "trained elsewhere, on what is not known here"
        return Scored(np.concatenate(each), np.concatenate(check), note=note, further=self.further)

    def further(self, store: CodeStore, fold_of_clip: np.ndarray, fold: int, clips: np.ndarray) -> np.ndarray:
        """`members.Further`: it is the same for every fold."""
        return np.concatenate([self._bits(_codes(store, clip), store.cardinality) for clip in clips])

    def _bits(self, codes: np.ndarray, cardinality: int) -> np.ndarray:
        """`[T, Q]` float32."""
        parts = []
        for begin in range(0, codes.shape[0], PIECE_FRAMES):
            piece = codes[begin : begin + PIECE_FRAMES]
            found = self._checked(piece, cardinality)
            own = np.take_along_axis(found, piece[:, :, None], axis=2)[:, :, 0]
            parts.append(-np.log2((1 - _UNIFORM) * own + _UNIFORM / cardinality))
        return np.concatenate(parts).astype(np.float32)

    def _checked(self, codes: np.ndarray, cardinality: int) -> np.ndarray:
        """`[T, Q, cardinality]` float64, whose rows sum to one."""
        wanted = (*codes.shape, cardinality)
        found = np.asarray(self.model.probabilities(codes))
        if found.shape != wanted:
            raise self._refused(
                f"probabilities of shape {wanted} (frames, codebooks, entries) are required", found.shape
            )
        found = found.astype(np.float64)
        total = found.sum(2)
        # written so that a NaN fails as well
        if not (found.min() >= 0 and np.abs(total - 1).max() <= _SUM_TOLERANCE):
            seen = f"a least of {found.min():.3g} and sums of {total.min():.4g} to {total.max():.4g}"
            raise self._refused("probabilities of at least 0 that sum to 1 over the entries are required", seen)
        return found / total[:, :, None]

    def _require_order(self, codes: np.ndarray, cardinality: int) -> None:
        before = self._checked(codes, cardinality)
        at = codes.shape[0] // 2
        # one code less at a time: all later frames, and the codebooks from q on within the frame
        for q in range(codes.shape[1]):
            changed = codes.copy()
            changed[at, q:] = (changed[at, q:] + 1) % cardinality
            changed[at + 1 :] = (changed[at + 1 :] + 1) % cardinality
            after = self._checked(changed, cardinality)
            apart = max(
                np.abs(after[:at] - before[:at]).max(initial=0), np.abs(after[at, : q + 1] - before[at, : q + 1]).max()
            )
            if apart > _LATER_TOLERANCE:
                raise self._refused(
                    f"probabilities of what comes before codebook {q} of a frame must not depend on it or what follows",
                    f"a difference of {apart:.2g}",
                )

    def _refused(self, required: str, found: object) -> ConfigError:
        return ConfigError(
            f"language model {self.model.name!r}: {required}, found {found}. Its code length would bound nothing: mend "
            "the model, or uninstall its package"
        )


def _codes(store: CodeStore, clip: int) -> np.ndarray:
    """`[T, Q]` int64"""
    positions, _, _ = store.frames([clip])
    return store.codes_at(positions).astype(np.int64)
