"""Made-up indices of a plan, and what ranks read of one: no dataset, no storage."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from auricle.loaders.plan.index import Index, Pointers
from auricle.loaders.plan.plan import Plan
from auricle.schemas.representation import RepresentationSpec

CODES = RepresentationSpec(
    name="toy-codes-50hz", codec="toy", kind="codes", frame_rate=50, sample_rate=16_000, frame_size=320, rows=4,
    cardinality=64, dtype="uint16", fingerprint="c" * 32,
)  # fmt: skip


def make_index(
    count: int, seed: int = 0, groups: tuple[str, ...] = ("all",), shards: int = 7, longest: int = 800
) -> Index:
    """An index of made-up clips, by ascending key."""
    generator = np.random.default_rng(seed)
    key = generator.integers(0, 1 << 63, (count, 2), dtype=np.uint64)
    key = key[np.argsort(key[:, 0])]
    pointers = Pointers(
        CODES,
        tuple(f"{int(v):016x}" * 4 for v in generator.integers(1, 1 << 62, shards)),
        generator.integers(0, shards, count, dtype=np.int32),
        np.arange(count, dtype=np.int64) * 512,
        np.full(count, 512, np.int32),
        np.zeros(count, np.uint32),
        np.exp(generator.uniform(np.log(20), np.log(longest), count)).astype(np.int32),
    )
    group = generator.integers(0, len(groups), count).astype(np.int16)
    stage = generator.integers(0, 3, count).astype(np.int16)
    return Index(key, (pointers,), group, groups, stage, np.full(count, 16_000, np.int32), pa.table({}))


def read(plan: Plan, world: int, first_step: int = 0, steps: int | None = None) -> list[tuple[int, int, list[int]]]:
    """(step, slot, clips) of all ranks of a world from a step on, in the order of the plan."""
    found = []
    for rank in range(world):
        for step, slot in plan.slots(rank, world, first_step):
            if steps is None or step < first_step + steps:
                rows = plan.rows_of(step, slot)
                draws = plan.draws[plan.draw_starts[rows.start] : plan.draw_starts[rows.stop]]
                found.append((step, slot, draws.tolist()))
    return sorted(found)
