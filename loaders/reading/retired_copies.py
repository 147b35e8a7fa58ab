"""Copies on this machine of what a purge took out of an object store: they go where the purge runs, and elsewhere when
the dataset is next opened for training there."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from ...schemas.keys import sha256_bytes
from ..storage.shard_cache import ShardCache
from ..storage.store import Store
from ..storage.table_copies import copies_folder
from .pending import PURGING

log = logging.getLogger(__name__)
SEEN = "retired"
"""File of a folder of copies: hash of the list of retired versions after which it was last gone through."""
BESIDE = re.compile(r"(\.\d+)?\.part$|\.lock$")
"""What is beside a copy while it is made."""


def drop_retired(store: Store, cache: ShardCache, *, always: bool = False) -> int:
    """Remove this machine's copies of shards and table parts of `store` that are no longer there; how many files went.

    Looks only after a version was retired since the last time, which one listing of versions says; always: for a purge
    that is at work. What cannot be removed is logged.
    """
    folders = [f for f in (cache.copies(store), copies_folder(store.url)) if store.root is None and f.is_dir()]
    if not folders:
        return 0
    retired = sorted(entry.path for entry in store.list("versions") if entry.path.endswith(".purged"))
    state = sha256_bytes("\n".join(retired).encode())
    folders = [f for f in folders if always or (retired and _seen(f) != state)]
    if not folders:
        return 0
    # asked before the objects are listed: a purge that is at work may still remove some
    settled = next(iter(store.list(PURGING)), None) is None
    there = {entry.path for top in ("objects", "shards") for entry in store.list(top)}
    gone = 0
    for folder in folders:
        going = [file for file in folder.rglob("*") if file.is_file() and _of(folder, file) not in there]
        failed = [file for file in going if file != folder / SEEN and not _removed(file)]
        gone += sum(file != folder / SEEN for file in going) - len(failed)
        if failed:
            log.warning("%s: %d copies of what was purged cannot be removed from here", folder, len(failed))
        elif settled:
            (folder / SEEN).write_text(state)
    return gone


def _of(folder: Path, file: Path) -> str:
    """The object that a file is a copy of, or stands beside the copy of."""
    return BESIDE.sub("", file.relative_to(folder).as_posix())


def _seen(folder: Path) -> str | None:
    try:
        return (folder / SEEN).read_text()
    except OSError:
        return None


def _removed(file: Path) -> bool:
    try:
        file.unlink(missing_ok=True)
    except OSError:
        return False
    return True
