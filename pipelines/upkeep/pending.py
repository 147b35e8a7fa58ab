"""What every command that writes to a dataset begins with: take the lease, finish interrupted takedowns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ...loaders.reading.pending import Pending, pending
from ...loaders.storage.store import Store
from ...schemas.counted import counted
from ...schemas.errors import IntegrityError, PendingError
from ..publishing.lease import lease
from ..publishing.publish import tidy_published
from .carry_out import Done, carry_out
from .follow import follow_content

__all__ = ["Pending", "at_work", "finish", "pending"]


@contextlib.contextmanager
def at_work(
    store: Store, *, wait: bool, notify: Callable[[str], None] = lambda _: None, first: bool = True
) -> Iterator[list[Done]]:
    """Hold the dataset's lease for the block, after what was begun and not done is finished; gives what that came to.

    first: False for a dry run, and for a command that calls `finish` when it is done; pending work is only reported.
    Raises `BusyError` while a run holds the dataset, unless `wait`; `PendingError` when a takedown cannot be finished.
    """
    with lease(store, wait=wait, notify=notify):
        if not first:
            for begun in pending(store):
                notify(str(begun))
        yield finish(store, notify) if first else []


def finish(store: Store, notify: Callable[[str], None] = lambda _: None) -> list[Done]:
    """Finish every takedown that was begun, the tidying of runs that are published, and the copying of what follows
    its content to the newest version. The caller holds the lease.

    Raises `PendingError`, which names the takedown that cannot be finished and why.
    """
    done = [_finish(store, begun, notify) for begun in pending(store)]
    tidy_published(store)
    follow_content(store)
    return done


def _finish(store: Store, begun: Pending, notify: Callable[[str], None]) -> Done:
    kind = "purge" if begun.purge else "takedown"
    notify(f"a {kind} was interrupted ({begun.path}): it is finished first")
    try:
        done = carry_out(store, begun)
    except IntegrityError as error:
        raise PendingError(f"{store.root or store.url}: {begun}, and cannot be finished now: {error}") from error
    what = (
        f", {counted(len(done.retired), 'version')} retired, {counted(len(done.removed), 'file')} removed"
        if begun.purge
        else ""
    )
    notify(f"the {kind} is finished: newest version {done.version}{what}")
    return done
