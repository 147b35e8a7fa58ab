"""How the codes of a clip become tokens of a row: special tokens, the delay pattern, flattening."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...schemas.errors import ConfigError
from ...schemas.representation import RepresentationSpec


@dataclass(frozen=True)
class Layout:
    """What is done to `[K, T]` codes, in this order; continuous representations stay as they are.

    bos, eos: tokens put before the first and after the last frame, in every codebook.
    delay: frames by which each codebook is shifted to the right, or True for 0, 1, 2, ... (the delay pattern of
    MusicGen, Copet et al., 2023); what is shifted in is `pad`.
    flatten: one row of T * K tokens, all codebooks of a frame one after another.
    offset_codebooks: token c of codebook k becomes `k * vocabulary + c`, so that flattened codebooks differ.
    pad: fills shifted and padded places. Special tokens lie above the codes: at or beyond the cardinality.
    """

    bos: int | None = None
    eos: int | None = None
    delay: Sequence[int] | bool = False
    flatten: bool = False
    offset_codebooks: bool = False
    pad: int = 0

    def shifts(self, rows: int) -> list[int]:
        """The delay of each of `rows` codebooks, in frames."""
        if self.delay is True:
            return list(range(rows))
        found = list(self.delay) if self.delay else [0] * rows
        if len(found) != rows or min(found) < 0:
            raise ConfigError(f"delay {found}: one shift of at least 0 for each of the {rows} codebooks is needed")
        return found

    def check(self, spec: RepresentationSpec) -> None:
        """Raises `ConfigError` for a layout that does not fit the representation."""
        self.shifts(spec.rows)
        for name in ("bos", "eos"):
            token = getattr(self, name)
            if token is not None and (spec.cardinality is None or token < spec.cardinality):
                raise ConfigError(
                    f"{name} {token}: a special token lies at or above the {spec.cardinality} codes of {spec.name}"
                )

    def vocabulary(self, spec: RepresentationSpec) -> int:
        """Distinct tokens of one codebook, special ones included."""
        special = [t for t in (self.bos, self.eos, self.pad) if t is not None]
        return max(int(spec.cardinality or 0), *(t + 1 for t in special))

    def size(self, spec: RepresentationSpec) -> tuple[int, int]:
        """(scale, extra): n frames become `scale * n + extra` tokens."""
        if spec.cardinality is None:
            return 1, 0
        scale = spec.rows if self.flatten else 1
        ends = (self.bos is not None) + (self.eos is not None)
        return scale, scale * (ends + max(self.shifts(spec.rows)))

    def apply(self, codes: np.ndarray, spec: RepresentationSpec) -> np.ndarray:
        """`[K, T]` codes to `[K, T']` or, flattened, `[1, K * T']` tokens; the array itself when nothing is to do."""
        plain = self.bos is None and self.eos is None and not self.delay and not self.flatten
        if spec.cardinality is None or (plain and not self.offset_codebooks):
            return codes
        rows, frames = codes.shape
        shifts = self.shifts(rows)
        first = int(self.bos is not None)
        total = frames + first + (self.eos is not None) + max(shifts)
        tokens = np.full((rows, total), self.pad, np.int64)
        for row, shift in enumerate(shifts):
            start = shift + first
            tokens[row, start : start + frames] = codes[row]
            if self.bos is not None:
                tokens[row, shift] = self.bos
            if self.eos is not None:
                tokens[row, start + frames] = self.eos
        if self.offset_codebooks:
            tokens += np.arange(rows)[:, None] * self.vocabulary(spec)
        return tokens.T.reshape(1, -1) if self.flatten else tokens


def undelayed(tokens: np.ndarray, shifts: Sequence[int]) -> np.ndarray:
    """`[K, T']` tokens with the delay taken back: `[K, T' - max(shifts)]`, for decoding what a model made."""
    length = tokens.shape[1] - max(shifts)
    return np.stack([tokens[row, shift : shift + length] for row, shift in enumerate(shifts)])
