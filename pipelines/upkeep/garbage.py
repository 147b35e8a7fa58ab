"""Garbage collection (`auricle gc`): remove versions that are not kept, and objects that no version, tag or run needs.
Also deletes unfinished runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...loaders.reading.refs import readable, tags
from ...loaders.storage.layout import run_path
from ...loaders.storage.store import Entry, Store
from ...schemas.errors import ConfigError
from .pending import at_work
from .sweep import GRACE_S, Collected, sweep


@dataclass(frozen=True)
class RunLeft:
    """An unfinished run: what it holds under `runs/`."""

    run: str
    files: int
    num_bytes: int
    published: bool
    """It was published and only its tidying is left."""
    entries: list[tuple[str, int]] = field(default_factory=list)
    """Path and bytes of each file."""
    modified_s: float = 0.0
    """When its newest file was written, by the store's clock, seconds since 1970."""


def collect_garbage(
    dataset: str | Store,
    keep_last: int = 10,
    dry_run: bool = True,
    *,
    grace_s: float = GRACE_S,
    wait: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Collected:
    """Remove all but the last `keep_last` versions, the tagged ones, and what they and unfinished runs reach.

    Raises `ConfigError` for keep_last below 1, `BusyError` while a run holds the dataset, unless `wait`.
    """
    if keep_last < 1:
        raise ConfigError(f"--keep-last {keep_last}: at least the newest version stays")
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    with at_work(store, wait=wait, notify=notify, first=not dry_run):
        known = readable(store)
        kept = set(known[-keep_last:]) | {t.version for t in tags(store)}.intersection(known)
        return sweep(store, kept, grace_s=grace_s, dry_run=dry_run)


def unfinished(dataset: str | Store) -> list[RunLeft]:
    """What is under `runs/`, by run."""
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    held: dict[str, list[Entry]] = {}
    for entry in store.list("runs"):
        held.setdefault(entry.path.split("/")[1], []).append(entry)
    return [
        RunLeft(
            run,
            len(es),
            sum(e.size for e in es),
            any(e.path == run_path(run, "published.json") for e in es),
            sorted((e.path, e.size) for e in es),
            max(e.modified_s for e in es),
        )
        for run, es in sorted(held.items())
    ]


def unfinished_run(dataset: str | Store, run: str) -> RunLeft:
    """What the run `run` holds. Raises `ConfigError` for a run that is not there."""
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    known = {left.run: left for left in unfinished(store)}
    if run not in known:
        raise ConfigError(f"no run {run!r} under {store.url}/runs; there are: {', '.join(known) or 'none'}")
    return known[run]


def abandon(
    dataset: str | Store, run: str, *, wait: bool = False, notify: Callable[[str], None] = lambda _: None
) -> RunLeft:
    """Give up an unfinished run: its receipts go, and what it had computed is computed again by the next run.

    Raises `ConfigError` for a run that is not there, `BusyError` while any run holds the dataset, unless `wait`.
    """
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    with at_work(store, wait=wait, notify=notify):
        left = unfinished_run(store, run)
        store.delete([e.path for e in (*store.list(f"runs/{run}"), *store.left_behind(f"runs/{run}"))])
        return left
