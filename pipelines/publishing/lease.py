"""The lease: keeps two runs from doing the same work. Correctness never depends on it.

A chain of put-if-absent epoch files, each with put-if-absent heartbeats; the same on a disk and on an object store:

    lease/00000003.json        who took epoch 3
    lease/00000003/00000012    its twelfth heartbeat
    lease/00000003.released    given back

A holder counts as dead when its heartbeat has not changed while this process watched for `EXPIRY_S`, by this
process's own monotonic clock: clocks of two machines are never compared. On the holder's own machine a dead process
is seen at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ...loaders.storage.json_record import read_record
from ...loaders.storage.store import Store
from ...schemas.errors import BusyError, StorageError
from ...schemas.records import LEASE_SCHEMA

HEARTBEAT_S = 5.0
EXPIRY_S = 30.0
"""Six missed heartbeats; a longer pause loses the lease, and then the race for the version decides."""


@contextlib.contextmanager
def lease(store: Store, *, wait: bool, notify: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the dataset's lease for the duration of the block.

    wait: watch a live holder until it ends instead of raising `BusyError`.
    """
    epoch = _acquire(store, wait, notify)
    stop = threading.Event()
    beating = threading.Thread(target=_beat, args=(store, epoch, stop), daemon=True)
    beating.start()
    try:
        yield
    finally:
        stop.set()
        beating.join()
        store.put_new(_epoch(epoch, ".released"), b"")
        _sweep(store, epoch)


def holder(store: Store) -> str | None:
    """Who holds the dataset now, None when nobody does or the holder is known to be dead.

    A look, without watching heartbeats: a machine that died holding the lease still counts.
    """
    epoch, released, _ = _newest(store)
    return None if not epoch or released or _dead_neighbour(store, epoch) else _holder(store, epoch)


def _acquire(store: Store, wait: bool, notify: Callable[[str], None]) -> int:
    seen: tuple[int, str] | None = None
    since = time.monotonic()
    while True:
        epoch, released, beat = _newest(store)
        if epoch and not released and not _dead_neighbour(store, epoch):
            if not wait and _fresh_start(store, epoch):
                raise _busy(store, epoch)
            if (epoch, beat) != seen:
                if seen is None:
                    notify(_watching(store, epoch, wait))
                elif not wait:
                    raise _busy(store, epoch)
                seen, since = (epoch, beat), time.monotonic()
            if time.monotonic() - since < EXPIRY_S:
                time.sleep(min(HEARTBEAT_S / 5, 1.0))
                continue
        claim = {"schema": LEASE_SCHEMA, **_me(), "epoch": epoch + 1}
        if store.put_new(_epoch(epoch + 1, ".json"), json.dumps(claim).encode()):
            return epoch + 1


def _busy(store: Store, epoch: int) -> BusyError:
    return BusyError(
        f"{store.root or store.url}: {_holder(store, epoch)} is at work on the dataset. Wait for it, or give --wait to "
        "queue behind it"
    )


def _watching(store: Store, epoch: int, wait: bool) -> str:
    if wait:
        return f"{_holder(store, epoch)} is at work on the dataset: waiting for it"
    return f"{_holder(store, epoch)} was at work on the dataset: watching for {EXPIRY_S:.0f} s whether it still is"


def _beat(store: Store, epoch: int, stop: threading.Event) -> None:
    count = 0
    while not stop.wait(HEARTBEAT_S):
        count += 1
        try:
            store.put_new(_epoch(epoch, f"/{count:08d}"), b"")
            if count > 1:
                store.delete([_epoch(epoch, f"/{count - 1:08d}")])
        except StorageError:
            # a store that is down for a moment must not end the run: the lease only saves double work
            continue


def _newest(store: Store) -> tuple[int, bool, str]:
    """Newest epoch (0: none), whether it was given back, its latest heartbeat."""
    entries = [e.path for e in store.list("lease")]
    epochs = [int(m[1]) for p in entries if (m := re.fullmatch(r"lease/(\d{8})\.json", p))]
    if not epochs:
        return 0, True, ""
    epoch = max(epochs)
    beats = [p for p in entries if p.startswith(_epoch(epoch, "/"))]
    return epoch, _epoch(epoch, ".released") in entries, max(beats, default="")


def _sweep(store: Store, epoch: int) -> None:
    """Remove what older epochs left; the newest stays, so that numbers only grow."""
    with contextlib.suppress(StorageError):
        old = [e.path for e in store.list("lease") if int(e.path[6:14]) < epoch]
        store.delete([*old, *(e.path for e in store.list(_epoch(epoch, "")))])


def _dead_neighbour(store: Store, epoch: int) -> bool:
    """Whether the holder ran on this machine since its last start and its process is gone."""
    found = _read(store, epoch)
    me = _me()
    if found.get("host") != me["host"] or found.get("boot") != me["boot"] or not found.get("boot"):
        return False
    return _started(int(found.get("pid", 0))) != found.get("started")


def _fresh_start(store: Store, epoch: int) -> bool:
    """Whether the holder is a live process of this machine: no need to watch its heartbeat."""
    found, me = _read(store, epoch), _me()
    same = found.get("host") == me["host"] and found.get("boot") == me["boot"] and bool(found.get("boot"))
    return same and _started(int(found.get("pid", 0))) == found.get("started")


def _holder(store: Store, epoch: int) -> str:
    found = _read(store, epoch)
    return f"process {found.get('pid', '?')} on {found.get('host', '?')}"


def _read(store: Store, epoch: int) -> dict[str, Any]:
    if not store.exists(_epoch(epoch, ".json")):
        return {}
    advice = "when no run is live, delete this file and run again"
    return read_record(store, _epoch(epoch, ".json"), LEASE_SCHEMA, [], advice)


def _me() -> dict[str, Any]:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return {
        "host": socket.gethostname(),
        "boot": boot.read_text().strip() if boot.exists() else "",
        "pid": os.getpid(),
        "started": _started(os.getpid()),
    }


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot, "" when it is gone; tells a reused pid apart."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rsplit(")", 1)[1].split()[19]


def _epoch(epoch: int, suffix: str) -> str:
    return f"lease/{epoch:08d}{suffix}"
