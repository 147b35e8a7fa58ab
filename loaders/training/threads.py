"""Reading ahead in this process: requests of an object store under way, results in order, no thread left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from ..storage.store import in_order

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int) -> Iterator[Result]:
    """What `work` gives for each item, in order; up to `ahead` results are made before they are asked for.

    The first error, in the order of the items, is raised and nothing further is started. An iteration that is given up
    ends its threads when it is closed.
    """
    with ThreadPoolExecutor(threads, "auricle-batches") as pool:
        yield from in_order(pool, (partial(work, item) for item in items), ahead + 1)
