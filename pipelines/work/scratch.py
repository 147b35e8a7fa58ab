"""Where a run keeps its working tables; what a killed run left there, gigabytes maybe, the next one removes."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
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


def remove_abandoned(parent: Path) -> list[Path]:
    """Remove the scratch folders in `parent` whose run is dead; gives them. Those of other users stay."""
    removed = []
    for lock_file in parent.glob(f"{PREFIX}*/{LOCK}"):
        with contextlib.suppress(OSError), lock_file.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock_file.parent)
            removed.append(lock_file.parent)
    return removed
