"""What an epoch will be, before a byte of it is read: steps, padding, tokens, bytes and requests, shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from .index import Index
from .plan import Plan
from .settings import Settings


@dataclass(frozen=True)
class Share:
    """One value of a column in an epoch."""

    value: str
    draws: int
    clips: int
    frames: int


@dataclass(frozen=True)
class EpochSummary:
    """An epoch in numbers. `frames`, `tokens` and `codes` without padding; bytes and requests are those of the .npy
    payloads."""

    epoch: int
    steps: int
    microbatches: int
    empty: int
    draws: int
    clips: int
    frames: int
    tokens: int
    """Places in the rows of microbatches, which `batch_tokens` limits: one a frame, unless a layout says more."""
    codes: int | None
    """Frames times codebooks, which curricula call tokens; None of a continuous representation."""
    efficiency: float
    """Tokens per token of the padded microbatches."""
    left_out: dict[str, int]
    num_bytes: list[int]
    """Of each rank of the world asked for."""
    shards: list[int]
    """Shards that each rank touches: requests where shards come whole."""
    ranges: list[int]
    """(shard, microbatch) pairs of each rank: requests where they come by ranges, before neighbours are joined."""
    shares: dict[str, list[Share]]
    """By column: its values, most frames first. By `stage` as well where there is a curriculum, in its order."""


def summarise(index: Index, settings: Settings, plan: Plan, world: int = 1) -> EpochSummary:
    """Count a plan. `index.columns` are what shares are told of.

    Raises `ConfigError` for a world that does not divide a step.
    """
    micro = np.repeat(np.arange(len(plan.row_starts) - 1), np.diff(plan.draw_starts[plan.row_starts]))
    rank = (micro % plan.microbatches) % world
    next(plan.slots(0, world), None)
    nbytes = sum(p.nbytes[plan.draws].astype(np.int64) for p in index.pointers)
    shards, ranges = np.zeros(world, np.int64), np.zeros(world, np.int64)
    for pointers in index.pointers:
        touched = pointers.shard[plan.draws].astype(np.int64)
        known = len(pointers.shards)
        shards += np.bincount(np.unique(rank * known + touched) // known, minlength=world)
        pairs = np.unique(micro * known + touched) // known
        ranges += np.bincount((pairs % plan.microbatches) % world, minlength=world)
    spec, frames = index.pointers[0].spec, int(plan.frames.sum(dtype=np.int64))
    shares = {name: _shares(index.columns[name], plan) for name in index.columns.column_names}
    return EpochSummary(
        epoch=plan.epoch,
        steps=plan.steps,
        microbatches=plan.microbatches,
        empty=plan.empty,
        draws=len(plan.draws),
        clips=len(np.unique(plan.draws)),
        frames=frames,
        tokens=int(plan.tokens.sum(dtype=np.int64)),
        codes=None if spec.cardinality is None else frames * spec.rows,
        efficiency=plan.efficiency(settings.row_tokens),
        left_out=plan.left_out,
        num_bytes=[int(n) for n in np.bincount(rank, weights=nbytes, minlength=world)],
        shards=shards.tolist(),
        ranges=ranges.tolist(),
        shares=shares if (stages := _stages(index, plan)) is None else shares | {"stage": stages},
    )


def _stages(index: Index, plan: Plan) -> list[Share] | None:
    """Of a curriculum, by stage; None without one."""
    if index.schedule is not None:
        stage_of = np.array([stage for stage, _ in index.schedule.groups])
        return _counted(list(index.schedule.stages), stage_of[index.group], plan)
    if index.stage is None:
        return None
    return _counted([str(stage) for stage in range(int(index.stage.max(initial=0)) + 1)], index.stage, plan)


def _shares(column: pa.ChunkedArray, plan: Plan) -> list[Share]:
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    names = [*encoded.dictionary.to_pylist(), "(none)"]
    found = _counted(names, encoded.indices.fill_null(len(names) - 1).to_numpy(), plan)
    return sorted(found, key=lambda share: (-share.frames, share.value))


def _counted(names: list[str], codes: np.ndarray, plan: Plan) -> list[Share]:
    """What is drawn of each name. codes: `[n]` place in `names` of each clip of the index."""
    drawn = codes[plan.draws]
    draws = np.bincount(drawn, minlength=len(names))
    frames = np.bincount(drawn, weights=plan.frames, minlength=len(names))
    clips = np.bincount(codes[np.unique(plan.draws)], minlength=len(names))
    return [Share(n, int(d), int(c), int(f)) for n, d, c, f in zip(names, draws, clips, frames, strict=True) if d]
