"""Where a run keeps its working tables; what a killed run left there, gigabytes maybe, the next one removes."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

PREFIX = "auricle-state-"
LOCK = "held"
"""A file in the folder that its run holds locked; the lock ends with the process, however it ends."""


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder under the temporary folder (`TMPDIR`), gone at the end; first removes those that nobody holds."""
    remove_abandoned(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as made:
        folder = Path(made)
        with (folder / "new").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # renamed when it is locked: nobody ever sees it free
            (folder / "new").rename(folder / LOCK)
            yield folder


@contextlib.contextmanager
def scratch_file(name: str) -> Iterator[Path]:
    """Where a file of that name may be written, in a folder that is this process's own; the file is gone at the end.

    A folder for each file would cost as much as a short recording takes to decode.
    """
    room = _room()
    place = room.take()
    # whoever clears temporary folders may have cleared this one
    place.mkdir(parents=True, exist_ok=True)
    path = place / name
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        room.give(place)


class _Room:
    """A scratch folder that a process keeps, with a folder in it for each file that is there at once."""

    def __init__(self, parent: str) -> None:
        remove_abandoned(Path(parent))
        self._pid, self._held = os.getpid(), threading.Lock()
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self._lock = (self._folder / "new").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self._folder / "new").rename(self._folder / LOCK)
        self._made, self._free = 0, list[Path]()
        atexit.register(self._leave)

    def take(self) -> Path:
        with self._held:
            if self._free:
                return self._free.pop()
            self._made += 1
            return self._folder / str(self._made)

    def give(self, place: Path) -> None:
        with self._held:
            self._free.append(place)

    def _leave(self) -> None:
        # a fork has it from its parent, which still needs it
        if os.getpid() == self._pid:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._lock.close()


_rooms: dict[tuple[int, str], _Room] = {}
_making = threading.Lock()


def _room() -> _Room:
    here = os.getpid(), tempfile.gettempdir()
    with _making:
        if here not in _rooms:
            _rooms[here] = _Room(here[1])
        return _rooms[here]


def remove_abandoned(parent: Path) -> list[Path]:
    """Remove the scratch folders in `parent` whose run is dead; gives them. Those of other users stay."""
    removed = []
    for lock_file in parent.glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError), lock_file.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock_file.parent)
            removed.append(lock_file.parent)
    return removed
