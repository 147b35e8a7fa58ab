"""Reads the clips of one microbatch: what a worker does. A clip that is damaged leaves its place empty and is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...schemas.errors import IntegrityError
from ...schemas.representation import RepresentationSpec, frame_range
from ..reading.samples import checked_array
from ..storage.layout import shard_path
from ..storage.payloads import Payloads, Request


@dataclass(frozen=True)
class Source:
    """One representation as a worker sees it."""

    spec: RepresentationSpec
    shards: tuple[str, ...]
    whole: tuple[int | None, ...]
    """Bytes of each shard of which most is going to be read; None for one that is read by ranges."""


@dataclass(frozen=True)
class Task:
    """One microbatch: all that a worker needs to read it, a few numbers per clip."""

    epoch: int
    step: int
    slot: int
    keys: list[str]
    counts: np.ndarray
    """`[rows]` clips in each row."""
    crop_starts: np.ndarray | None
    frames: np.ndarray
    """`[clips]` of the first representation, after cropping."""
    sample_rate: np.ndarray
    pointers: tuple[tuple[np.ndarray, ...], ...]
    """Of each representation: shard, offset, nbytes, crc32, frames."""
    columns: dict[str, list[Any]]


Arrays = list["np.ndarray | None"]


def read(task: Task, sources: Sequence[Source], payloads: Payloads) -> tuple[list[Arrays], dict[str, str]]:
    """Arrays of each representation, None where a clip is damaged in any of them, and why by key.

    Raises `StorageError` when the store fails: that is no fault of a clip.
    """
    damaged: dict[str, str] = {}
    found = [_read_one(task, i, source, payloads, damaged) for i, source in enumerate(sources)]
    if damaged:
        gone = [key in damaged for key in task.keys]
        found = [[None if bad else a for a, bad in zip(arrays, gone, strict=True)] for arrays in found]
    if task.crop_starts is not None:
        found = [_cropped(task, arrays, sources[0].spec, s.spec) for arrays, s in zip(found, sources, strict=True)]
    return found, damaged


def _read_one(task: Task, which: int, source: Source, payloads: Payloads, damaged: dict[str, str]) -> Arrays:
    spec = source.spec
    shard, offset, nbytes, crc32, frames = (column.tolist() for column in task.pointers[which])
    found: Arrays = [None] * len(shard)
    by_shard: dict[int, list[int]] = {}
    for place, number in enumerate(shard):
        by_shard.setdefault(number, []).append(place)
    requests = []
    for number, places in by_shard.items():
        places.sort(key=offset.__getitem__)
        path = shard_path(spec.name, source.shards[number])
        starts, lengths = [offset[p] for p in places], [nbytes[p] for p in places]
        requests.append(Request(path, starts, lengths, source.whole[number]))
    for (number, places), read in zip(by_shard.items(), payloads.read_each(requests), strict=True):
        if isinstance(read, IntegrityError):
            damaged.update({task.keys[p]: str(read) for p in places})
            continue
        name = source.shards[number]
        for place, payload in zip(places, read, strict=True):
            try:
                found[place] = checked_array(payload, spec, task.keys[place], name, crc32[place], frames[place])
            except IntegrityError as error:
                damaged[task.keys[place]] = str(error)
    return found


def _cropped(task: Task, arrays: Arrays, first: RepresentationSpec, spec: RepresentationSpec) -> Arrays:
    """The frames of the crop: exact in the first representation, those of the same time in the others."""
    assert task.crop_starts is not None
    found: Arrays = []
    for place, array in enumerate(arrays):
        start, count = int(task.crop_starts[place]), int(task.frames[place])
        whole = count == int(task.pointers[0][4][place])
        if array is None or whole:
            found.append(array)
        elif spec is first:
            found.append(array[:, start : start + count])
        else:
            begin, end = start * first.frame_size, (start + count) * first.frame_size
            a, b = frame_range(spec, begin, end, first.sample_rate)
            found.append(array[:, a : min(b, array.shape[1])])
    return found
