"""Arrays as views into the bytes of a .npy: the header of each length is parsed once."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np


def npy_view(payload: bytes | memoryview) -> np.ndarray:
    """The array in a .npy, a read-only view into `payload`. Raises `ValueError` for bytes that are no .npy."""
    head = bytes(payload[:12])
    if head[:6] != np.lib.format.MAGIC_PREFIX:
        raise ValueError("no .npy: the magic bytes are missing")
    start = 10 + int.from_bytes(head[8:10], "little") if head[6] == 1 else 12 + int.from_bytes(head[8:12], "little")
    shape, fortran, dtype, count = _header(bytes(payload[:start]))
    array = np.frombuffer(payload, dtype, count, start)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


@lru_cache(maxsize=1 << 14)
def _header(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, order, dtype and entries; the same bytes again and again, one for each length."""
    file = io.BytesIO(head)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("a .npy of Python objects is never read")
    return shape, fortran, dtype, int(np.prod(shape, dtype=np.int64))
