"""Table parts of remote datasets on this machine's disk: one user's, proven by their hash, bounded.

A part is named by the hash of its bytes. A copy that is found is hashed before this process first opens it, so that
nobody can plant another one and a torn one is fetched again.
"""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

from ...schemas.errors import IntegrityError, StorageError
from ...schemas.keys import sha256_bytes, sha256_file
from .shard_cache import default_folder
from .store import Store

LIMIT_BYTES = 16 << 30
"""Of all copies together. The least recently used go first; those that this process opened stay."""

_one_at_a_time = threading.Lock()
_proven: dict[Path, tuple[int, ...]] = {}
"""Copies whose hash this process has seen, and what the file system said of them then."""


def copies_folder(url: str) -> Path:
    """Of the copies of one dataset: `auricle/tables/<hash of its URL>` in the user's cache folder (XDG_CACHE_HOME, else
    ~/.cache)."""
    return default_folder().with_name("tables") / sha256_bytes(url.encode())[:16]


def local_part(store: Store, path: str, cache: Path) -> Path:
    """A local file with the part at `path`, `<sha256>.parquet`: the object itself on a disk, else a copy under `cache`.

    Raises `IntegrityError` for an object that is missing or whose bytes do not hash to its name, `StorageError` for a
    cache folder of somebody else.
    """
    if store.root is not None:
        return store.root / path
    _private(cache)
    copy = cache / path
    if _is_proven(copy):
        with suppress(OSError):
            os.utime(copy)
        _proven[copy] = _seen(copy)
        return copy
    data = store.get(path)
    if sha256_bytes(data) != copy.stem:
        raise IntegrityError(
            f"{store.url}/{path}: its bytes do not hash to its name; restore it from a copy of the dataset, or roll "
            "back to a version that `auricle verify` finds undamaged"
        )
    copy.parent.mkdir(parents=True, exist_ok=True)
    part = copy.with_name(f"{copy.name}.{os.getpid()}.part")
    part.write_bytes(data)
    # a thread that makes room does not meet a copy that another has not noted yet
    with _one_at_a_time:
        part.replace(copy)
        _proven[copy] = _seen(copy)
        _evict(cache.parent)
    return copy


def _is_proven(copy: Path) -> bool:
    """Whether there is a copy whose bytes are what its name says; a link is not one."""
    try:
        seen = _seen(copy)
        if not stat.S_ISREG(copy.lstat().st_mode):
            return False
        return _proven.get(copy) == seen or sha256_file(copy) == copy.stem
    except OSError:
        return False


def _seen(file: Path) -> tuple[int, ...]:
    found = file.lstat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _private(cache: Path) -> None:
    """The folder, open to its user only. Raises `StorageError` where it is another's."""
    try:
        cache.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        cache.mkdir(exist_ok=True, mode=0o700)
        owner = cache.lstat()
    except OSError as error:
        raise StorageError(
            f"{cache}: the folder for copies of tables cannot be made ({error.strerror}); set XDG_CACHE_HOME to one "
            "that can be written"
        ) from error
    if not stat.S_ISDIR(owner.st_mode) or owner.st_uid != os.getuid():
        raise StorageError(f"{cache}: not a folder of this user's; remove it, or set XDG_CACHE_HOME to another")


def _evict(folder: Path) -> None:
    files: list[tuple[int, int, Path]] = []
    for file in folder.rglob("*.parquet"):
        with suppress(OSError):
            found = file.lstat()
            files.append((found.st_mtime_ns, found.st_size, file))
    total = sum(size for _, size, _ in files)
    for _, size, file in sorted(files):
        if total <= LIMIT_BYTES:
            return
        if file not in _proven:
            file.unlink(missing_ok=True)
            total -= size
