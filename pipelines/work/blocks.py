"""A statistic of many blocks, each made where a worker is free and merged in the blocks' order.

For passes that only add up and leave nothing behind but their sum: nothing is stored, so a dataset that can only be
read is enough. Ray makes the part of a block anew when its worker died. The same blocks give the same parts in the same
order, here or on any number of workers.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

from ...schemas.errors import DatasetError
from .cluster import our_error, ray_session, worker_options
from .hang import exit_when_hung

Block = TypeVar("Block")
Part = TypeVar("Part")
WORTH_S = 20.0
"""Work left, on one core, that is worth Ray's start of some seconds."""
RETRIES = 5
"""Times that a block is made again after its worker died; a preempted worker is not the block's fault."""


class Blocks:
    """Goes over the same blocks as often as wanted. Starts Ray when the rest would take longer than its start."""

    def __init__(self, workers: int | None, worth_s: float = WORTH_S) -> None:
        """workers: processes; None for one per CPU that Ray sees, 1 for none but this one."""
        self._workers, self._worth_s = workers, worth_s
        self._count: int | None = None
        self._session = ExitStack()

    def __enter__(self) -> Blocks:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def run(
        self, make: Callable[[Block], Part], blocks: Sequence[Block], passes_left: int, done: Callable[[int], None]
    ) -> Iterator[Part]:
        """The part of every block, in order; `done` gets the place of a block when its part is there.

        passes_left: this one included, to tell whether workers are worth their start.
        Raises what `make` raised, `DatasetError` for a block that ended its worker every time.
        """
        here = 0
        while here < len(blocks) and self._count is None:
            began = time.monotonic()
            yield make(blocks[here])
            here += 1
            done(here - 1)
            left = (time.monotonic() - began) * (len(blocks) * passes_left - here)
            if self._workers != 1 and len(blocks) > 1 and left > self._worth_s:
                self._count = self._session.enter_context(ray_session(self._workers))
        if here < len(blocks):
            yield from self._remote(make, blocks, here, done)

    def _remote(
        self, make: Callable[[Block], Part], blocks: Sequence[Block], first: int, done: Callable[[int], None]
    ) -> Iterator[Part]:
        import ray
        import ray.exceptions

        task = ray.remote(num_cpus=1, max_retries=RETRIES, **worker_options())(_in_worker)
        shared = ray.put(make)
        waiting: deque[tuple[int, Any]] = deque()
        ahead = 2 * (self._count or 1)
        for place in range(first, len(blocks) + ahead):
            if place < len(blocks):
                waiting.append((place, task.remote(shared, blocks[place])))
            if len(waiting) > ahead or (place >= len(blocks) and waiting):
                at, ref = waiting.popleft()
                try:
                    part: Any = ray.get(ref)
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
                    raise DatasetError(
                        f"block {at + 1} of {len(blocks)} ended its worker {RETRIES + 1} times, by running out of "
                        "memory or in a decoder: use fewer workers, or drop the clip that causes it"
                    ) from error
                except ray.exceptions.RayError as error:
                    raise our_error(error) from error
                done(at)
                yield part


def _in_worker(make: Callable[[Any], Any], block: Any) -> Any:
    exit_when_hung()
    return make(block)
