"""The extract pass: kept clips to codes and latents, one decode and one encoder pass for all views of a codec."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from ...extractors.coding.codec import Extractor
from ...extractors.coding.packing import Arrays
from ...extractors.coding.registry import build, describe_all
from ...schemas.clip import Clip
from ...schemas.config import RepresentationConfig
from ...schemas.errors import ClipError
from ...schemas.keys import digest
from ...schemas.pass_tables import ERROR_FIELDS
from ...schemas.representation import RepresentationSpec
from ...schemas.tables import FailureReason
from ...schemas.worker_config import Workers
from ..audio.ahead import read_ahead
from ..audio.long_clip import LONG_SAMPLES, LongClip, long_clip
from ..work.contract import Result, failure
from ..work.hang import HUNG, allowed_s, bounded
from ..work.one_by_one import ends_the_pass, why
from .batches import Batch, Packers, audio_of

LOWEST_RATE = 8000
"""Hz: what a clip's samples are counted as before it is decoded, to allow a batch its time."""

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
    """Items: what `clip_reader.read_clips` needs, and `representations`: comma-separated names to make.

    decode_threads: that decode ahead of the codecs; changes no result.
    """

    representations: tuple[RepresentationConfig, ...]
    limit_s: float = Workers().limit_s
    decode_threads: int = 0
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
        return _Extract(self.representations, self.specs, self.limit_s, self.decode_threads)

    def __reduce__(self) -> tuple[type[ExtractRecipe], tuple[Any, ...]]:
        return type(self), (self.representations, self.limit_s, self.decode_threads)


class _Extract:
    def __init__(
        self,
        configs: Sequence[RepresentationConfig],
        specs: Sequence[RepresentationSpec],
        limit_s: float,
        decode_threads: int,
    ) -> None:
        self._extractors, self._limit_s = build(configs), limit_s
        self._decode_threads = decode_threads
        if (torch := sys.modules.get("torch")) is not None:
            # one thread per worker: codes depend on the thread count, and one process per core is faster
            torch.set_num_threads(1)
        self._specs = {spec.name: spec for spec in specs}
        self._packers = Packers()

    def __call__(self, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        for is_long, group in groupby(items, key=lambda item: item["end"] - item["start"] > LONG_SAMPLES):
            if is_long:
                yield from map(self._long, group)
            else:
                yield from self._short(list(group))

    def _short(self, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        """Clips that are decoded into memory, one after the other unless a fast mode packs them."""
        # the items of a unit want the same
        wanted = set(items[0]["representations"].split(","))
        chosen = [e for e in self._extractors if any(spec.name in wanted for spec in e.specs)]
        packed = [e for e in chosen if self._packers.packs(e) and e.specs[0].name not in items[0].get(HUNG, {})]
        decoded = read_ahead(items, self._decode_threads)
        batches: dict[int, Batch] = {}
        if packed:
            most_s = sum(item["end"] - item["start"] for item in items) / LOWEST_RATE
            decoded, batches = self._packers.run(packed, decoded, allowed_s(self._limit_s, most_s))
        for place, (item, clip) in enumerate(decoded):
            if isinstance(clip, ClipError):
                yield failure(item, clip.reason, clip.message)
                continue
            done = {id(e): batches[id(e)][place] for e in packed if place in batches[id(e)]}
            yield self._result(item, clip.duration_s, lambda e, clip=clip, done=done: _whole(e, clip, done))

    def _long(self, item: dict[str, Any]) -> Result:
        try:
            with long_clip(item) as clip:
                return self._result(item, clip.duration_s, lambda extractor: _streamed(extractor, clip))
        except ClipError as error:
            return failure(item, error.reason, error.message)

    def _result(
        self, item: dict[str, Any], duration_s: float, extract: Callable[[Extractor], Mapping[str, np.ndarray]]
    ) -> Result:
        wanted, hung = set(item["representations"].split(",")), item.get(HUNG, {})
        row: dict[str, Any] = {"key": item["key"]}
        payloads: dict[str, bytes] = {}
        for extractor in self._extractors:
            names = [spec.name for spec in extractor.specs if spec.name in wanted]
            if not names:
                continue
            step = extractor.specs[0].name
            if step in hung:
                self._failed(row, payloads, names, f"{FailureReason.TIMED_OUT}: {hung[step]}")
                continue
            try:
                with bounded(step, allowed_s(self._limit_s, duration_s)):
                    arrays = dict(extract(extractor))
                for name in names:
                    array = arrays.pop(name)
                    payloads[name] = npy_bytes(checked(array, self._specs[name]))
                    row[name] = {"fingerprint": self._specs[name].fingerprint, "num_frames": int(array.shape[1])}
            except Exception as error:
                if ends_the_pass(error):
                    raise
                reason, message = why(error)
                self._failed(row, payloads, names, f"{reason}: {message}")
        return Result(row, payloads, duration_s)

    def _failed(self, row: dict[str, Any], payloads: dict[str, bytes], names: Sequence[str], error: str) -> None:
        for name in names:
            payloads.pop(name, None)
            row[name] = {"fingerprint": self._specs[name].fingerprint, "error": error}


def _whole(extractor: Extractor, clip: Clip, done: Mapping[int, Arrays | ClipError]) -> Mapping[str, np.ndarray]:
    """Arrays of a clip in memory, unless a batch made them already."""
    made = done.get(id(extractor))
    if isinstance(made, ClipError):
        raise made
    return made if made is not None else extractor.extract(audio_of(extractor, clip), clip.sample_rate)


def _streamed(extractor: Extractor, clip: LongClip) -> Mapping[str, np.ndarray]:
    """Arrays of a clip that is read piece by piece; an extractor that cannot do that gets all samples at once."""
    read = clip.read if extractor.specs[0].channels > 1 else clip.read_channel
    stream = getattr(extractor, "stream", None)
    if stream is None:
        return extractor.extract(read(0, clip.num_samples), clip.sample_rate)
    blocks: dict[str, list[np.ndarray]] = {}
    for block in stream(read, clip.num_samples, clip.sample_rate):
        for name, array in block.items():
            blocks.setdefault(name, []).append(array)
    return {name: joined(blocks.pop(name)) for name in list(blocks)}


def joined(blocks: list[np.ndarray]) -> np.ndarray:
    """`[rows, n_i]` blocks as one `[rows, sum n_i]`; `blocks` is emptied on the way, so that nothing is held twice."""
    out = np.empty((blocks[0].shape[0], sum(block.shape[1] for block in blocks)), blocks[0].dtype)
    at = out.shape[1]
    while blocks:
        block = blocks.pop()
        out[:, at - block.shape[1] : at] = block
        at -= block.shape[1]
    return out


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
