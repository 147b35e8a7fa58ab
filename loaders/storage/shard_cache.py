"""Whole shards of an object store on this machine's disk, in a bounded folder that all processes share.

A shard is named by the hash of its bytes, so a copy never goes stale. A copy that is found is hashed before this
process first reads it, so that a damaged or planted one is fetched again. The least recently used ones go when the
folder would grow beyond its limit; a reader that has one mapped keeps it. Each dataset has a folder of its own in it,
so that what is purged from a dataset can be found here too (`reading/retired_copies.py`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ...schemas.keys import sha256_bytes, sha256_file
from .store import Store

log = logging.getLogger(__name__)
LIMIT_BYTES = 32 << 30

_proven: dict[Path, tuple[int, int]] = {}
"""Copies whose hash this process has seen, and their place on the disk then: device and inode."""
_unfit: set[tuple[str, str]] = set()
"""Shards whose bytes in the store do not hash to their name: no copy of them is kept."""


def default_folder() -> Path:
    """`auricle/shards` in the user's cache folder (XDG_CACHE_HOME, else ~/.cache)."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "auricle" / "shards"


class ShardCache:
    """A folder of at most `limit_bytes`. Safe for many threads and processes; pickles as its two settings."""

    def __init__(self, folder: Path | None = None, limit_bytes: int = LIMIT_BYTES) -> None:
        self.folder, self.limit_bytes = folder or default_folder(), limit_bytes

    def copies(self, store: Store) -> Path:
        """The folder of the copies of one dataset; shards lie in it by their paths."""
        return self.folder / sha256_bytes(store.url.encode())[:16]

    def find(self, store: Store, path: str, num_bytes: int) -> Path | None:
        """The copy of a shard, None when there is no whole one whose bytes are what its name says."""
        file = self.copies(store) / path
        try:
            seen = file.lstat()
            if seen.st_size != num_bytes or not stat.S_ISREG(seen.st_mode):
                return None
            place = seen.st_dev, seen.st_ino
            if _proven.get(file) != place:
                if sha256_file(file) != file.stem:
                    log.warning("%s: not the bytes of its name; it is fetched again", file)
                    file.unlink()
                    return None
                _proven[file] = place
            # what was used last goes last
            os.utime(file)
        except FileNotFoundError:
            return None
        return file

    def fetch(self, store: Store, path: str, num_bytes: int, *, wait: bool = True) -> Path | None:
        """The copy of a shard, made now when there is none; one process makes it, others wait for that.

        wait: or give None while another process is making it. None also for one whose bytes in the store do not hash
        to its name: its clips are read by ranges, each with its checksum. Raises `IntegrityError` and `StorageError` as
        `Store`.
        """
        if (store.url, path) in _unfit:
            return None
        file = self.copies(store) / path
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock(Path(f"{file}.lock"), wait) as held:
            if not held:
                return None
            found = self.find(store, path, num_bytes)
            if found is not None:
                return found
            data = store.get(path)
            if sha256_bytes(data) != file.stem:
                log.warning(
                    "%s/%s: its bytes do not hash to its name; clips of it are read one by one", store.url, path
                )
                _unfit.add((store.url, path))
                return None
            part = Path(f"{file}.part")
            part.write_bytes(data)
            part.replace(file)
            seen = file.lstat()
            _proven[file] = seen.st_dev, seen.st_ino
        self._evict(file)
        return file

    def _evict(self, newest: Path) -> None:
        with self._lock(self.folder / "evict.lock", True):
            files = []
            for file in self.folder.rglob("*.tar"):
                with contextlib.suppress(FileNotFoundError):
                    status = file.stat()
                    files.append((status.st_mtime_ns, status.st_size, file))
            total = sum(size for _, size, _ in files)
            for _, size, file in sorted(files):
                if total <= self.limit_bytes:
                    break
                if file != newest:
                    file.unlink(missing_ok=True)
                    Path(f"{file}.lock").unlink(missing_ok=True)
                    total -= size

    @contextlib.contextmanager
    def _lock(self, file: Path, wait: bool) -> Iterator[bool]:
        # not on every system, and only object stores need it
        import fcntl

        descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)
