"""The same data in torch's own shapes, for those who build their `DataLoader` themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch.utils.data import Dataset, IterableDataset, get_worker_info

from ..plan.plan import require_world
from .data import TrainingData
from .loader import tensors
from .world import rank_and_world


class BatchStream(IterableDataset[dict[str, Any]]):
    """Batches of one epoch for `DataLoader(stream, batch_size=None, num_workers=n)`, in the order of `Loader`.

    The DataLoader hands out batches of its workers in turn, so the order does not depend on their number. Only the
    batch knows what was consumed: `state_after(batch)` is what a checkpoint keeps. Each worker needs the index: with
    the start method spawn it is sent to it, so prefer `Loader` for tables of many millions.
    """

    def __init__(self, data: TrainingData, *, rank: int | None = None, world: int | None = None) -> None:
        self.data = data
        self.rank, self.world = rank_and_world(rank, world)
        require_world(self.rank, self.world, data.settings.microbatches)
        self.epoch, self.step = 0, 0

    def set_epoch(self, epoch: int) -> None:
        """Begin epoch `epoch` at the next iteration; workers that persist do not hear of it."""
        self.epoch, self.step = epoch, 0

    def __len__(self) -> int:
        return self.data.plan(self.epoch).steps * (self.data.settings.microbatches // self.world)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info is not None else (0, 1)
        for number, (step, slot) in enumerate(self.data.plan(self.epoch).slots(self.rank, self.world, self.step)):
            if number % workers == worker:
                plan = self.data.plan(self.epoch)
                yield tensors(self.data.reader(self.data.task(plan, step, slot)))

    def state_after(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The state of a training that has consumed everything up to this batch; whole steps only."""
        last = batch["slot"] == self.data.settings.microbatches - self.world + self.rank
        return self.data.state(int(batch["epoch"]), int(batch["step"]) + int(last))

    def state_dict(self) -> dict[str, Any]:
        """Where the next iteration begins."""
        return self.data.state(self.epoch, self.step)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Begin the next iteration behind the saved step. Raises `ConfigError` as `Loader` does."""
        self.epoch, self.step = self.data.position(state)


class Clips(Dataset[dict[str, Any]]):
    """Random access: clip i of the index, by ascending key, as a batch of one row without padding."""

    def __init__(self, data: TrainingData) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data.index)

    def __getitem__(self, place: int) -> dict[str, Any]:
        if not -len(self) <= place < len(self):
            raise IndexError(f"clip {place} of {len(self)}")
        batch = self.data.reader(self.data.clip_task(place % len(self)))
        dropped = ("epoch", "step", "slot", "mask")
        return {k: v for k, v in tensors(batch).items() if k not in dropped}
