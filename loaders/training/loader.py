"""The loader: batches of tensors, epoch after epoch, with a state that any world and any workers go on from.

data = TrainingData("./speech-dataset@7", "builtin-codes", Settings(batch_tokens=16384, microbatches=8))
loader = Loader(data, workers=2)
for batch in loader:            # one epoch, or what is left of it
    batch["codes"]              # [B, K, T] int64
checkpoint["loader"] = loader.state_dict()
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from ..plan.plan import require_world
from .data import BatchReader, TrainingData
from .reader import Task
from .threads import in_threads
from .world import rank_and_world

log = logging.getLogger(__name__)


def tensors(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch with its arrays as tensors that share their memory."""
    return {name: torch.from_numpy(v) if hasattr(v, "dtype") else v for name, v in batch.items()}


class Loader:
    """Iterating gives the batches of this rank until the end of the epoch, and once more those of the next.

    rank, world: default those of torch.distributed where it is initialised, else 0 of 1. The world divides the
    microbatches of a step; a rank gets `microbatches / world` batches for each.
    workers: that read ahead, `prefetch` batches each. They get tasks, not the index. Of a disk 0 reads when a batch is
    asked for; of an object store one thread reads ahead all the same.
    start: what workers are: threads of this process (`thread`, the default), or processes made by `fork` or `spawn`.
    A batch costs a fraction of a millisecond and its memory need not be sent, so threads are several times faster.
    Processes are the default only for a tokenizer beside a disk: it may hold the interpreter, and the training waits.
    The state counts whole steps: saved in the midst of one, its batches come again.
    """

    def __init__(
        self,
        data: TrainingData,
        *,
        rank: int | None = None,
        world: int | None = None,
        workers: int = 0,
        prefetch: int = 2,
        start: str | None = None,
        pin_memory: bool = False,
    ) -> None:
        self.data = data
        self.rank, self.world = rank_and_world(rank, world)
        require_world(self.rank, self.world, data.settings.microbatches)
        self.epoch, self.step = 0, 0
        self.damaged: dict[str, str] = {}
        """Clips that could not be read, by key, and why; their places in batches are empty."""
        if start is None:
            # the connections of an object store survive no fork
            start = "fork" if data.reader.tokenizer is not None and data.version.store.root is not None else "thread"
        if start == "thread" and (workers or data.version.store.root is None):
            self._batches = _Threads(self, max(1, workers), prefetch, pin_memory)
            return
        self._batches = DataLoader(
            _Batches(data.reader),
            batch_size=None,
            sampler=_Tasks(self),  # pyright: ignore[reportArgumentType]
            num_workers=workers,
            prefetch_factor=prefetch if workers else None,
            multiprocessing_context=start if workers else None,
            persistent_workers=workers > 0,
            pin_memory=pin_memory,
            collate_fn=_as_it_is,  # pyright: ignore[reportArgumentType]
        )

    def __len__(self) -> int:
        """Batches of this rank in the whole epoch."""
        return self.data.plan(self.epoch).steps * (self.data.settings.microbatches // self.world)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        last = self.data.settings.microbatches - self.world + self.rank
        for batch in self._batches:
            for key, why in batch["damaged"].items():
                log.warning("%s; its place in the batch stays empty", why)
                self.damaged[key] = why
            if batch["slot"] == last:
                # whoever saves while it handles this batch has it behind
                self.step = batch["step"] + 1
            yield batch
        self.epoch, self.step = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """`{fingerprint, epoch, step}`: the same on every rank."""
        return self.data.state(self.epoch, self.step)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on behind the saved step. Raises `ConfigError` that says what differs for a state of another order."""
        self.epoch, self.step = self.data.position(state)


class _Threads:
    """Batches that threads of this process read ahead."""

    def __init__(self, loader: Loader, threads: int, prefetch: int, pin_memory: bool) -> None:
        self._loader, self._threads, self._ahead = loader, threads, threads * prefetch
        self._pin = pin_memory and torch.cuda.is_available()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return in_threads(self._batch, iter(_Tasks(self._loader)), self._threads, self._ahead)

    def _batch(self, task: Task) -> dict[str, Any]:
        made = tensors(self._loader.data.reader(task))
        return {k: v.pin_memory() if isinstance(v, torch.Tensor) else v for k, v in made.items()} if self._pin else made


class _Tasks:
    """The tasks from where the loader stands, as a sampler."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[Task]:
        at = self._loader
        return at.data.tasks(at.epoch, at.rank, at.world, at.step)

    def __len__(self) -> int:
        return len(self._loader)


class _Batches(Dataset[dict[str, Any]]):
    def __init__(self, reader: BatchReader) -> None:
        self._reader = reader

    def __getitem__(self, task: Task) -> dict[str, Any]:
        return tensors(self._reader(task))


def _as_it_is(batch: dict[str, Any]) -> dict[str, Any]:
    return batch
