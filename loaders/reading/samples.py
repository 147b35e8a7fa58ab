"""Samples: arrays of one representation, checked against what the clip table says, with their clips' rows."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...schemas.errors import IntegrityError
from ...schemas.representation import RepresentationSpec
from ...schemas.tables import POINTER
from ..storage.layout import shard_path
from ..storage.npy import npy_view
from ..storage.payloads import Payloads
from ..storage.store import Store

try:
    # four times zlib's speed, the same sums; comes with the extra `train`
    from isal.isal_zlib import crc32 as checksum  # pyright: ignore[reportMissingImports]
except ImportError:
    from zlib import crc32 as checksum

READ_AHEAD_BYTES = 16 << 20
"""Payload fetched per request batch while iterating samples: bounds memory, amortises latency."""


class Sample:
    """One live clip of one representation."""

    __slots__ = ("_clip", "_place", "array", "key")

    def __init__(self, key: str, array: np.ndarray, clip: dict[str, Any] | Rows, place: int = 0) -> None:
        self.key = key
        self.array = array
        """`[K, T]` codes or `[D, T]` values in the representation's declared dtype."""
        self._clip, self._place = clip, place

    @property
    def clip(self) -> dict[str, Any]:
        """The clip's row: duration_s, transcript, language, speaker, tier, ... Made when it is asked for."""
        if isinstance(self._clip, Rows):
            self._clip = self._clip.rows[self._place]
        return self._clip

    def __repr__(self) -> str:
        return f"Sample({self.key!r}, {self.array.dtype} {list(self.array.shape)})"

    def __reduce__(self) -> tuple[type[Sample], tuple[str, np.ndarray, dict[str, Any]]]:
        return Sample, (self.key, self.array, self.clip)


class Rows:
    """Rows of a table as dictionaries, all of them when the first is asked for."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        return self._table.to_pylist()


def read_arrays(
    store: Store, spec: RepresentationSpec, keys: Sequence[str], pointers: Sequence[dict[str, Any]]
) -> Iterator[tuple[str, np.ndarray]]:
    """(key, array) of clips whose pointers are given, in order; neighbours in a shard are read together.

    Raises as `checked_array` does.
    """
    places = Places.of(pa.chunked_array([pa.array(pointers, POINTER)]))
    for start, end, arrays in runs(Payloads(store), spec, keys, places):
        yield from ((key, array.copy()) for key, array in zip(keys[start:end], arrays, strict=True))


@dataclass(frozen=True)
class Places:
    """Pointers column by column."""

    shard: list[str]
    offset: list[int]
    nbytes: list[int]
    crc32: list[int]
    frames: list[int]

    @classmethod
    def of(cls, pointers: pa.ChunkedArray) -> Places:
        names = ("shard", "offset", "nbytes", "crc32", "num_frames")
        return cls(*(pc.struct_field(pointers, name).to_pylist() for name in names))


def runs(
    payloads: Payloads, spec: RepresentationSpec, keys: Sequence[str], places: Places
) -> Iterator[tuple[int, int, Iterator[np.ndarray]]]:
    """Places [start, end) that one request reads, and their arrays: views that must not be written to."""
    start, count = 0, len(keys)
    while start < count:
        end, size = start, 0
        shard = places.shard[start]
        while end < count and places.shard[end] == shard and (end == start or size < READ_AHEAD_BYTES):
            size += places.nbytes[end]
            end += 1
        found = payloads.read(shard_path(spec.name, shard), places.offset[start:end], places.nbytes[start:end])
        arrays = (
            checked_array(payload, spec, keys[i], shard, places.crc32[i], places.frames[i])
            for i, payload in enumerate(found, start)
        )
        yield start, end, arrays
        start = end


def checked_array(
    payload: bytes | memoryview, spec: RepresentationSpec, key: str, shard: str, crc32: int, num_frames: int
) -> np.ndarray:
    """The array that `payload` (a .npy) holds, a read-only view into it, after its checksum, dtype and shape.

    Raises `IntegrityError` for a payload that is not what the clip table says.
    """
    if checksum(payload) != crc32:
        raise IntegrityError(
            f"clip {key}, {spec.name}: the payload in shard {shard} fails its checksum; "
            "run `auricle verify` and restore the shard from a copy"
        )
    try:
        array = npy_view(payload)
    except ValueError as error:
        raise IntegrityError(f"clip {key}, {spec.name}: the payload in shard {shard} is no .npy: {error}") from error
    if array.dtype != spec.dtype or array.shape != (spec.rows, num_frames):
        raise IntegrityError(
            f"clip {key}, {spec.name}: declared {spec.dtype} [{spec.rows}, {num_frames}], "
            f"stored {array.dtype} {list(array.shape)}"
        )
    return array
