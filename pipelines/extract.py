"""The extract pass: kept clips to codes and latents, one decode and one encoder pass for all views of a codec."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from ..extractors.registry import build, describe_all
from ..schemas.clip import Clip
from ..schemas.config import RepresentationConfig
from ..schemas.errors import AuricleError, ClipError
from ..schemas.keys import digest
from ..schemas.representation import RepresentationSpec
from ..schemas.tables import FailureReason
from .clip_reader import read_clips
from .units import ERROR_FIELDS, Result, failure

UNIT_POINTER = pa.struct(
    [
        pa.field("fingerprint", pa.string()),
        pa.field("file", pa.string()),
        pa.field("offset", pa.int64()),
        pa.field("nbytes", pa.int64()),
        pa.field("num_frames", pa.int32()),
        pa.field("crc32", pa.int64()),
        pa.field("error", pa.string()),
    ]
)
"""Where a latent is before it is packed into a shard."""


@dataclass(frozen=True)
class ExtractRecipe:
    """Items: what `clip_reader.read_clips` needs, and `representations`: comma-separated names to make."""

    representations: tuple[RepresentationConfig, ...]
    name: str = "extract"

    @cached_property
    def specs(self) -> tuple[RepresentationSpec, ...]:
        return tuple(describe_all(self.representations))

    @property
    def schema(self) -> pa.Schema:
        pointers = [pa.field(name, UNIT_POINTER) for name in sorted(spec.name for spec in self.specs)]
        return pa.schema([pa.field("key", pa.string()), *ERROR_FIELDS, *pointers])

    @property
    def fingerprint(self) -> str:
        return digest(*(spec.fingerprint for spec in self.specs))

    def build(self) -> _Extract:
        return _Extract(self.representations, self.specs)

    def __reduce__(self) -> tuple[type[ExtractRecipe], tuple[Any, ...]]:
        return type(self), (self.representations,)


class _Extract:
    def __init__(self, configs: Sequence[RepresentationConfig], specs: Sequence[RepresentationSpec]) -> None:
        self._extractors = build(configs)
        if (torch := sys.modules.get("torch")) is not None:
            # one thread per worker: codes depend on the thread count, and one process per core is faster
            torch.set_num_threads(1)
        self._specs = {spec.name: spec for spec in specs}

    def __call__(self, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        for item, clip in read_clips(items):
            if isinstance(clip, ClipError):
                yield failure(item, clip.reason, clip.message)
            else:
                yield self._extract(item, clip)

    def _extract(self, item: dict[str, Any], clip: Clip) -> Result:
        wanted = set(item["representations"].split(","))
        row: dict[str, Any] = {"key": item["key"]}
        payloads: dict[str, bytes] = {}
        for extractor in self._extractors:
            names = [spec.name for spec in extractor.specs if spec.name in wanted]
            if not names:
                continue
            stereo = extractor.specs[0].channels > 1
            waveform = np.stack(clip.siblings) if stereo and clip.siblings else clip.waveform[None]
            try:
                arrays = extractor.extract(waveform, clip.sample_rate)
                for name in names:
                    payloads[name] = npy_bytes(checked(arrays[name], self._specs[name]))
                    row[name] = {
                        "fingerprint": self._specs[name].fingerprint,
                        "num_frames": int(arrays[name].shape[1]),
                    }
            except ClipError as error:
                self._failed(row, payloads, names, f"{error.reason}: {error.message}")
            except (AuricleError, MemoryError):
                raise
            except Exception as error:
                self._failed(row, payloads, names, f"{FailureReason.INTERNAL}: {type(error).__name__}: {error}")
        return Result(row, payloads, clip.duration_s)

    def _failed(self, row: dict[str, Any], payloads: dict[str, bytes], names: Sequence[str], error: str) -> None:
        for name in names:
            payloads.pop(name, None)
            row[name] = {"fingerprint": self._specs[name].fingerprint, "error": error}


def checked(array: np.ndarray, spec: RepresentationSpec) -> np.ndarray:
    """The array, C-contiguous, when it is what its representation declares.

    Raises `ClipError` (reason `extraction`) otherwise: a broken declaration must not reach a shard.
    """
    if array.ndim != 2 or array.shape[0] != spec.rows or array.dtype != np.dtype(spec.dtype):
        raise ClipError(
            FailureReason.EXTRACTION,
            f"{spec.name} declares {spec.dtype} [{spec.rows}, frames], the codec made "
            f"{array.dtype} {list(array.shape)}",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ClipError(FailureReason.EXTRACTION, f"{spec.name}: the codec made values that are not finite")
    if spec.cardinality is not None and array.size and int(array.max()) >= spec.cardinality:
        raise ClipError(FailureReason.EXTRACTION, f"{spec.name}: code {int(array.max())} of {spec.cardinality} entries")
    return np.ascontiguousarray(array)


def npy_bytes(array: np.ndarray) -> bytes:
    """The array as a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
