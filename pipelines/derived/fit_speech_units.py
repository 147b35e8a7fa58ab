"""Units fitted on a version: k-means passes over blocks of its kept clips, on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...extractors.features.kmeans import Fit, Lloyd, Survey, fit_parts
from ...extractors.features.units import Source
from ...loaders.reading.pending import require_none
from ...loaders.reading.samples import read_arrays
from ...loaders.reading.version import Version
from ...loaders.storage.store import Store
from ...schemas.counted import counted
from ...schemas.errors import ClipError, DatasetError
from ...schemas.keys import canonical_json, digest
from ...schemas.representation import RepresentationSpec
from ...schemas.tables import Status
from ..audio.clip_reader import read_clips
from ..audio.listen import source_uri
from ..audio.long_clip import LONG_SAMPLES, long_clip
from ..work.blocks import Blocks
from ..work.one_by_one import ends_the_pass, why
from .fit_checkpoint import FitFile

BLOCK_S = 300.0
"""Least audio of a block: seconds of work, against the milliseconds that sending it takes."""
BLOCKS = 512
"""Most blocks, each of which sends one sum per cluster and pass."""
SAMPLE = 20_000
"""Vectors that starting centroids are drawn from."""
Vectors = Iterator[tuple[str, np.ndarray | ClipError]]


@dataclass(frozen=True)
class Stored:
    """Vectors that a version holds: blocks have the columns clip and pointer."""

    store: Store
    spec: RepresentationSpec

    def __call__(self, block: pa.Table) -> Vectors:
        """(key, `[frames, D]`) of each clip; raises `IntegrityError` for bytes that are not what the table says."""
        for key, array in read_arrays(self.store, self.spec, block["clip"].to_pylist(), block["pointer"].to_pylist()):
            yield key, array.T


@dataclass(frozen=True)
class Heard:
    """Vectors of audio, decoded anew: blocks have what `clip_reader.read_clips` needs."""

    card: Mapping[str, Any]

    def __call__(self, block: pa.Table) -> Vectors:
        """(key, `[frames, D]`) of each clip, or why its audio cannot be had."""
        source = Source(dict(self.card))
        for is_long, items in groupby(block.to_pylist(), key=lambda item: item["end"] - item["start"] > LONG_SAMPLES):
            if is_long:
                for item in items:
                    yield from _long(source, item)
            else:
                for item, clip in read_clips(list(items)):
                    try:
                        if isinstance(clip, ClipError):
                            raise clip
                        yield item["key"], source.vectors(clip.waveform[None], clip.sample_rate).T
                    except Exception as error:
                        yield item["key"], _unread(error)


def _long(source: Source, item: dict[str, Any]) -> Vectors:
    try:
        with long_clip(item) as clip:
            for place, vectors in enumerate(source.blocks(clip.read_channel, clip.num_samples, clip.sample_rate)):
                yield f"{item['key']}/{place}", vectors.T
    except Exception as error:
        yield item["key"], _unread(error)


def _unread(error: Exception) -> ClipError:
    """Why a clip has no vectors. Raises what would befall every clip."""
    if ends_the_pass(error):
        raise error
    return error if isinstance(error, ClipError) else ClipError(*why(error))


@dataclass(frozen=True)
class _Made:
    """What a pass makes of a block, and which clips could not be read."""

    stage: Survey | Lloyd
    read: Stored | Heard

    def __call__(self, block: pa.Table) -> tuple[Any, dict[str, str]]:
        failed: dict[str, str] = {}

        def vectors() -> Iterator[tuple[str, np.ndarray]]:
            for key, found in self.read(block):
                if isinstance(found, ClipError):
                    failed[key] = str(found)
                else:
                    yield key, found

        return self.stage.part(vectors()), failed


def blocks_of(table: pa.Table) -> list[pa.Table]:
    """`table` cut where its `duration_s` adds up to a block: by the data alone, never by the workers."""
    seconds = table["duration_s"].to_numpy()
    begins = np.cumsum(seconds) - seconds
    place = np.floor(begins / max(BLOCK_S, float(seconds.sum()) / BLOCKS)).astype(int)
    # `take` copies, so that a block does not carry the whole table to its worker
    return [table.take(pa.array(np.flatnonzero(place == at))) for at in np.unique(place)]


def _table(version: Version, read: Stored | Heard) -> pa.Table:
    """One row per clip to go over, in the order in which sums are merged: what `read` needs, duration_s and frames."""
    if isinstance(read, Stored):
        table = version.live(read.spec.name, columns=["clip", "duration_s"]).combine_chunks()
        return table.append_column("frames", pc.struct_field(table["pointer"], "num_frames"))
    columns = ["clip", "recording", "source", "path", "channel", "start", "end", "duration_s"]
    table = version.clips(columns, pc.equal(pc.field("status"), Status.KEPT.value))
    # clips of a recording stand together: it is decoded once
    table = table.sort_by([(name, "ascending") for name in ("source", "path", "start", "channel")])
    places = {(row["source"], row["path"]) for row in table.select(["source", "path"]).to_pylist()}
    uris = {place: source_uri(version, *place) for place in places}
    uri = [uris[row["source"], row["path"]] for row in table.select(["source", "path"]).to_pylist()]
    table = table.rename_columns({"clip": "key"}).append_column("uri", pa.array(uri, pa.string()))
    return table.append_column("frames", pc.ceil(pc.multiply(table["duration_s"], float(read.card["frame_rate"]))))


def fit_version(
    version: Version,
    read: Stored | Heard,
    sizes: Sequence[int],
    passes: int,
    seed: int,
    *,
    workers: int | None = None,
    kept: Path | None = None,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Fit, dict[str, str]]:
    """All `sizes` from the same passes over the kept clips of `version`; and the clips that could not be read, why.

    The result does not depend on `workers`. kept: file that remembers the last finished pass, for an interrupted fit
    to go on; told: gets (clips gone over, clips in all passes).
    Raises `DatasetError` where no clip can be read, or one that could be read in the first pass no longer can.
    """
    require_none(version.store)
    table = _table(version, read)
    blocks = blocks_of(table)
    frames = float(pc.sum(table["frames"]).as_py() or 0)
    # ten standard deviations above the sample's size: the parts send little, and never too little
    share = (SAMPLE + 10 * SAMPLE**0.5) / max(frames, 1.0)
    memory = None if kept is None else FitFile(kept, _name(version, read, sizes, seed))
    before, failed = memory.read() if memory else (None, {})
    if before is not None and before.passes > passes:
        before, failed = None, {}
    gone_over = (before.passes + 1 if before else 0) * len(table)
    total = (passes + 1) * len(table)

    with Blocks(workers) as over_blocks:

        def run(stage: Survey | Lloyd) -> Iterator[Any]:
            nonlocal gone_over
            left = -(-(total - gone_over) // len(table))

            def done(place: int) -> None:
                nonlocal gone_over
                gone_over += len(blocks[place])
                told(gone_over, total)

            for part, unread in over_blocks.run(_Made(stage, read), blocks, left, done):
                new = unread.keys() - failed.keys()
                if new and isinstance(stage, Lloyd):
                    key = min(new)
                    raise DatasetError(
                        f"clip {key} could be read in the first pass and not in a later one: {unread[key]}"
                    )
                failed.update(unread)
                yield part

        def keep(fit: Fit) -> None:
            if memory is not None:
                memory.write(fit, failed)

        try:
            fit = fit_parts(run, sizes, passes, seed, Survey(SAMPLE, min(share, 1.0)), before, keep)
        except ValueError as error:
            reason = f", the first because of {min(failed.values())}" if failed else ""
            raise DatasetError(
                f"version {version.document.number}: none of {counted(len(table), 'kept clip')} can be read{reason}"
            ) from error
    return fit, failed


def _name(version: Version, read: Stored | Heard, sizes: Sequence[int], seed: int) -> str:
    """Of a fit: everything that its passes depend on."""
    source = read.spec.fingerprint if isinstance(read, Stored) else canonical_json(dict(read.card))
    return digest(version.sha256, source, str(SAMPLE), str(BLOCK_S), str(BLOCKS), str(seed), *map(str, sorted(sizes)))
