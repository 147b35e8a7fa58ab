"""All codes of a corpus, held at two bytes each, and the n-grams in them.

Estimation visits the frames once per context, so they are kept rather than read again: in memory up to a limit, in
an unnamed temporary file beyond it. A corpus of 1000 h at 12.5 frames/s and 8 codebooks takes 0.7 GB.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from .contexts import MAX_LAG, Context
from .counts import pack


class CodeStore:
    """Clips of codes, each preceded by `MAX_LAG` frames of the symbol `cardinality`, "before the clip"."""

    def __init__(self, cardinality: int, *, memory_bytes: int = 512 << 20) -> None:
        """cardinality: entries per codebook. memory_bytes: codes beyond this go to a temporary file."""
        self.cardinality = cardinality
        self.num_codebooks = 0
        self.keys: list[str] = []
        self.groups: list[str] = []
        self._dtype = np.dtype(np.uint16 if cardinality < 2**16 else np.uint32)
        self._lengths: list[int] = []
        self._blocks: list[np.ndarray] = []
        self._held_bytes, self._memory_bytes = 0, memory_bytes
        self._file: IO[bytes] | None = None
        self._codes: np.ndarray | None = None
        self._shared: str | None = None

    def add(self, key: str, group: str, codes: np.ndarray) -> str:
        """Take the codes `[K, T]` of a clip; "" when taken, else the reason why they are left out."""
        if codes.ndim != 2 or not np.issubdtype(codes.dtype, np.integer):
            return "not_codes"
        if codes.shape[1] == 0 or codes.shape[0] == 0:
            return "empty"
        if self.num_codebooks and codes.shape[0] != self.num_codebooks:
            return "other_codebooks"
        if codes.min() < 0 or codes.max() >= self.cardinality:
            return "out_of_range"
        self.num_codebooks = codes.shape[0]
        block = np.full((MAX_LAG + codes.shape[1], codes.shape[0]), self.cardinality, self._dtype)
        block[MAX_LAG:] = codes.T
        self._blocks.append(block)
        self._held_bytes += block.nbytes
        if self._held_bytes > self._memory_bytes:
            self._spill()
        self.keys.append(key)
        self.groups.append(group)
        self._lengths.append(codes.shape[1])
        return ""

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the store, gone with it)
        for block in self._blocks:
            self._file.write(block.tobytes())
        self._blocks, self._held_bytes = [], 0

    def close(self) -> None:
        """No more clips: lay the codes out for reading."""
        if self._file is not None:
            self._spill()
            self._file.flush()
            self._codes = np.memmap(self._file, self._dtype, "r").reshape(-1, self.num_codebooks)
            # the mapping holds the file; its name is gone already
            self._file.close()
        elif self._blocks:
            self._codes = np.concatenate(self._blocks)
        else:
            self._codes = np.zeros((0, max(self.num_codebooks, 1)), self._dtype)
        self._blocks = []
        self.lengths = np.array(self._lengths, dtype=np.int64)
        """Frames of each clip, `[N]`."""
        self._starts = np.cumsum(self.lengths + MAX_LAG) - self.lengths

    def joined(self, more: CodeStore) -> CodeStore:
        """A closed store with the clips of this one, where they are, and after them those of another."""
        both = CodeStore(self.cardinality)
        both.num_codebooks = self.num_codebooks
        both.keys, both.groups = [*self.keys, *more.keys], [*self.groups, *more.groups]
        both._lengths = [*self._lengths, *more._lengths]
        both._blocks = [each._codes for each in (self, more) if each._codes is not None and len(each)]
        both.close()
        return both

    def share(self) -> None:
        """Have the codes of a closed store in a file, where other processes read them; it goes with this store."""
        if self._shared is None and self._codes is not None and self._codes.size:
            handle, self._shared = tempfile.mkstemp(prefix="auricle-codes-")
            weakref.finalize(self, os.unlink, self._shared)
            with os.fdopen(handle, "wb") as file:
                self._codes.tofile(file)
            self._map()

    def _map(self) -> None:
        assert self._shared is not None
        self._codes = np.memmap(self._shared, self._dtype, "r").reshape(-1, self.num_codebooks)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__ | {"_file": None}
        return state if self._shared is None else state | {"_codes": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._shared is not None:
            self._map()

    def __len__(self) -> int:
        return len(self.keys)

    def frames(self, clips: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All frames of these clips, in order: position in the store, clip, and frame within the clip, `[F]` each."""
        clips = np.asarray(clips, dtype=np.int64)
        lengths = self.lengths[clips]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return np.repeat(self._starts[clips], lengths) + within, np.repeat(clips, lengths), within

    def ngrams(self, codebook: int, context: Context, positions: np.ndarray) -> np.ndarray:
        """Packed n-grams of the codes of `codebook` at these positions, each after its context; `[F]` int64."""
        assert self._codes is not None, "close() comes before reading"
        wanted = [*reversed(context), (codebook, 0)]
        return pack([self._codes[positions - lag, q] for q, lag in wanted], self.cardinality)

    def codes_at(self, positions: np.ndarray) -> np.ndarray:
        """Codes `[F, K]` at these positions."""
        assert self._codes is not None, "close() comes before reading"
        return np.asarray(self._codes[positions])

    def entries(self, codebook: int) -> np.ndarray:
        """How often each entry of the codebook occurs in all clips, `[cardinality]` int64."""
        assert self._codes is not None, "close() comes before reading"
        tally = np.zeros(self.cardinality + 1, np.int64)
        for begin in range(0, self._codes.shape[0], 1 << 22):
            tally += np.bincount(self._codes[begin : begin + (1 << 22), codebook], minlength=self.cardinality + 1)
        return tally[:-1]
