"""Order from names: 64-bit mixing that gives the same order on every machine and in every release of numpy."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

GOLDEN = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def splitmix64(values: np.ndarray) -> np.ndarray:
    """`[n]` uint64 to `[n]` uint64: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014), one-to-one."""
    mixed = values + np.uint64(GOLDEN)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def seed_of(*parts: int) -> np.uint64:
    """One 64-bit seed from integers: another for every tuple, as far as 64 bits tell."""
    state = len(parts)
    for part in parts:
        mixed = splitmix64(np.array([(state ^ (part & MASK)) & MASK], np.uint64))
        state = int(mixed[0])
    return np.uint64(state)


def words_of(names: pa.ChunkedArray | pa.Array, words: int) -> np.ndarray:
    """`[n, words]` uint64: the first 16 * `words` hexadecimal digits of each name.

    Raises `ValueError` for a name that is shorter or holds anything else.
    """
    chunks = names.chunks if isinstance(names, pa.ChunkedArray) else [names]
    return np.concatenate([_words(chunk, words) for chunk in chunks] or [np.empty((0, words), np.uint64)])


def _words(names: pa.Array, words: int) -> np.ndarray:
    if len(names) == 0:
        return np.empty((0, words), np.uint64)
    binary = names.cast(pa.large_binary())
    starts = np.frombuffer(binary.buffers()[1], np.int64)[binary.offset : binary.offset + len(binary) + 1]
    digits = 16 * words
    if binary.null_count or int(np.diff(starts).min()) < digits:
        raise ValueError(f"a name has fewer than {digits} hexadecimal digits")
    letters = np.frombuffer(binary.buffers()[2], np.uint8)
    if (np.diff(starts) == starts[1] - starts[0]).all():
        width = int(starts[1] - starts[0])
        letters = letters[starts[0] : starts[-1]].reshape(-1, width)[:, :digits]
    else:
        letters = letters[starts[:-1, None] + np.arange(digits)]
    values = _VALUES[letters]
    if (values > 15).any():
        raise ValueError("a name holds something that is no hexadecimal digit")
    pairs = (values[:, 0::2] << np.uint8(4)) | values[:, 1::2]
    return pairs.view(">u8").astype(np.uint64)


_VALUES = np.full(256, 255, np.uint8)
_VALUES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16, dtype=np.uint8)
