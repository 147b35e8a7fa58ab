"""Payloads of samples: views into mapped shards where they are on a disk, ranges where they are not."""

from __future__ import annotations

import mmap
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ...schemas.errors import ConfigError, IntegrityError, StorageError
from .retries import first_line
from .shard_cache import ShardCache
from .store import Store

OPEN_MAPS = 256
"""Shards that stay mapped."""
WHOLE_BYTES = 16 << 20
"""A shard of at most so many bytes is fetched whole at once; a larger one is read by ranges until its copy is there."""
RANGED_SHARE = 0.1
"""Part of a large shard that is read by ranges while its copy is on its way; whoever wants more waits for the copy."""
FETCHERS = 4
"""Large shards that are fetched at the same time, by one process."""
AT_ONCE = 16
"""Requests of one process that are under way at once."""


class Request(NamedTuple):
    """Byte ranges of one shard. num_bytes: of the whole shard, where most of it is going to be read."""

    path: str
    starts: Sequence[int]
    lengths: Sequence[int]
    num_bytes: int | None = None


Found = Sequence["bytes | memoryview"]


class Payloads:
    """Reads byte ranges of shards, from any thread. Pickles without its open files; each process opens its own.

    cache: where whole shards of an object store are kept; None reads ranges only.
    """

    def __init__(self, store: Store, cache: ShardCache | None = None) -> None:
        self.store, self.cache = store, cache
        self._reset()

    def _reset(self) -> None:
        self._maps: OrderedDict[str, mmap.mmap] = OrderedDict()
        self._lock = threading.Lock()
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._coming: dict[str, Future[Path | None]] = {}
        self._ranged: dict[str, int] = {}
        self._pid = os.getpid()

    def __getstate__(self) -> tuple[Store, ShardCache | None]:
        return self.store, self.cache

    def __setstate__(self, state: tuple[Store, ShardCache | None]) -> None:
        self.store, self.cache = state
        self._reset()

    def read(self, path: str, starts: Sequence[int], lengths: Sequence[int], num_bytes: int | None = None) -> Found:
        """The ranges of one `Request`; views that live as long as anybody holds them.

        Raises `IntegrityError` for a shard that is missing, `StorageError` for one that cannot be read.
        """
        if os.getpid() != self._pid:
            # a fork: maps stay valid, threads are gone
            self._pools, self._coming, self._lock, forked = {}, {}, threading.Lock(), self._pid
            self._pid = os.getpid()
            if self.store.root is None:
                raise ConfigError(
                    f"{self.store.url}: this process was forked from {forked}, which had the object store open, but "
                    "connections do not survive that. Start workers with multiprocessing_context='spawn'"
                )
        if self.store.root is not None:
            return self._views(path, self.store.root, starts, lengths)
        if self.cache is not None and num_bytes is not None:
            copy = self._copy(self.cache, path, num_bytes, sum(lengths))
            if copy is not None:
                return self._views(path, copy, starts, lengths)
        return self.store.get_ranges(path, list(starts), list(lengths))

    def read_each(self, requests: Sequence[Request]) -> Iterator[Found | IntegrityError]:
        """What `read` gives for each request, in order, with the error in place of a shard that is missing.

        On an object store up to `AT_ONCE` are under way, on a disk one. Raises `StorageError` as `read` does.
        """
        if self.store.root is not None or len(requests) < 2 or os.getpid() != self._pid:
            yield from map(self._tried, requests)
            return
        pool = self._pool("auricle-ranges", AT_ONCE)
        waiting = [pool.submit(self._tried, request) for request in requests]
        try:
            for future in waiting:
                yield future.result()
        finally:
            for future in waiting:
                future.cancel()

    def _tried(self, request: Request) -> Found | IntegrityError:
        try:
            return self.read(*request)
        except IntegrityError as error:
            return error

    def _pool(self, name: str, threads: int) -> ThreadPoolExecutor:
        with self._lock:
            pool = self._pools.get(name)
            if pool is None:
                pool = self._pools[name] = ThreadPoolExecutor(threads, name)
                # what was not begun is not fetched when nobody holds the payloads any more
                weakref.finalize(self, pool.shutdown, wait=False, cancel_futures=True)
            return pool

    def _views(self, path: str, place: Path, starts: Sequence[int], lengths: Sequence[int]) -> list[memoryview]:
        """place: the root of a disk's store, or the copy."""
        view = memoryview(self._mapped(path, place))
        return [view[start : start + length] for start, length in zip(starts, lengths, strict=True)]

    def _mapped(self, path: str, place: Path) -> mmap.mmap:
        with self._lock:
            found = self._maps.get(path)
            if found is None:
                try:
                    with (place / path if place == self.store.root else place).open("rb") as opened:
                        found = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
                except FileNotFoundError as error:
                    raise IntegrityError(f"{self.store.url}/{path}: the object is missing") from error
                except ValueError as error:
                    raise IntegrityError(f"{self.store.url}/{path}: the object is empty") from error
                except OSError as error:
                    raise StorageError(f"{self.store.url}/{path}: cannot be read: {first_line(error)}") from error
                self._maps[path] = found
                while len(self._maps) > OPEN_MAPS:
                    # not closed: arrays may still look into it
                    self._maps.popitem(last=False)
            else:
                self._maps.move_to_end(path)
            return found

    def _copy(self, cache: ShardCache, path: str, num_bytes: int, wanted: int) -> Path | None:
        """The shard's copy in the cache; None where ranges are to be read instead."""
        found = cache.find(self.store, path, num_bytes)
        if found is not None:
            return found
        if num_bytes <= WHOLE_BYTES:
            return cache.fetch(self.store, path, num_bytes)
        pool = self._pool("auricle-shards", FETCHERS)
        with self._lock:
            coming = self._coming.get(path)
            if coming is None or coming.done():
                # one that failed is asked for again, and ranges say why if it goes on
                coming = self._coming[path] = pool.submit(cache.fetch, self.store, path, num_bytes)
            self._ranged[path] = self._ranged.get(path, 0) + wanted
            wait = self._ranged[path] > RANGED_SHARE * num_bytes
        if not wait:
            return None
        try:
            return coming.result()
        except (IntegrityError, StorageError):
            return None
