"""Payloads of samples: views into mapped shards where they are on a disk, ranges where they are not."""

from __future__ import annotations

import mmap
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ...schemas.errors import ConfigError, IntegrityError, StorageError
from .shard_cache import ShardCache
from .store import Store, first_line

OPEN_MAPS = 256
"""Shards that stay mapped."""
WHOLE_BYTES = 16 << 20
"""A shard of at most so many bytes is fetched whole at once; a larger one is read by ranges until its copy is there."""
FETCHERS = 4
"""Shards that are fetched at the same time, by one process."""


class Payloads:
    """Reads byte ranges of shards. Pickles without its open files; each process opens its own.

    cache: where whole shards of an object store are kept; None reads ranges only.
    """

    def __init__(self, store: Store, cache: ShardCache | None = None) -> None:
        self.store, self.cache = store, cache
        self._reset()

    def _reset(self) -> None:
        self._maps: OrderedDict[str, mmap.mmap] = OrderedDict()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._coming: dict[str, Future[Path | None]] = {}
        self._pid = os.getpid()

    def __getstate__(self) -> tuple[Store, ShardCache | None]:
        return self.store, self.cache

    def __setstate__(self, state: tuple[Store, ShardCache | None]) -> None:
        self.store, self.cache = state
        self._reset()

    def read(
        self, path: str, starts: Sequence[int], lengths: Sequence[int], num_bytes: int | None = None
    ) -> Sequence[bytes | memoryview]:
        """Byte ranges of one shard; views that live as long as anybody holds them.

        num_bytes: of the whole shard, where most of it is going to be read: a copy of it is then made in the cache.
        Raises `IntegrityError` for a shard that is missing, `StorageError` for one that cannot be read.
        """
        if os.getpid() != self._pid:
            # a fork: maps stay valid, threads are gone
            self._pool, self._coming, self._lock, forked = None, {}, threading.Lock(), self._pid
            self._pid = os.getpid()
            if self.store.root is None:
                raise ConfigError(
                    f"{self.store.url}: this process was forked from {forked}, which had the object store open, but "
                    "connections do not survive that. Start workers with multiprocessing_context='spawn'"
                )
        if self.store.root is not None:
            return self._views(path, self.store.root / path, starts, lengths)
        copy = self._copy(path, num_bytes) if self.cache is not None and num_bytes is not None else None
        if copy is not None:
            return self._views(path, copy, starts, lengths)
        return self.store.get_ranges(path, list(starts), list(lengths))

    def _views(self, path: str, file: Path, starts: Sequence[int], lengths: Sequence[int]) -> list[memoryview]:
        view = memoryview(self._mapped(path, file))
        return [view[start : start + length] for start, length in zip(starts, lengths, strict=True)]

    def _mapped(self, path: str, file: Path) -> mmap.mmap:
        with self._lock:
            found = self._maps.get(path)
            if found is None:
                try:
                    with file.open("rb") as opened:
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

    def _copy(self, path: str, num_bytes: int) -> Path | None:
        """The shard's copy in the cache; None while a large one is on its way."""
        assert self.cache is not None
        found = self.cache.find(self.store, path, num_bytes)
        if found is not None:
            return found
        if num_bytes <= WHOLE_BYTES:
            return self.cache.fetch(self.store, path, num_bytes)
        with self._lock:
            coming = self._coming.get(path)
            if coming is None or coming.done():
                # one that failed is asked for again, and ranges say why if it goes on
                if self._pool is None:
                    self._pool = ThreadPoolExecutor(FETCHERS, "auricle-shards")
                job = self._pool.submit(self.cache.fetch, self.store, path, num_bytes, wait=False)
                self._coming[path] = job
        return None
