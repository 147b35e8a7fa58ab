"""Collect garbage: remove versions that nobody keeps, and objects that nothing reaches.

Roots are the kept versions, the tagged ones, and everything under `runs/`: an unfinished run is abandoned only by an
explicit command. Documents go first, so that no version is ever visible without its objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ...loaders.reading.refs import readable, tags
from ...loaders.reading.version import numbers
from ...loaders.storage.layout import run_path, version_path
from ...loaders.storage.objects import objects
from ...loaders.storage.store import Entry, Store
from ...schemas.errors import ConfigError
from ...schemas.version import VersionDocument
from ..publishing.lease import lease

GRACE_S = 3600.0
"""Objects younger than this, by the store's own clock, stay: a run that lost its lease during a long pause may be
about to publish them."""
SWEPT = ("objects", "shards")


@dataclass(frozen=True)
class Collected:
    """What was removed, or would be."""

    dry_run: bool
    kept: list[int]
    versions: list[int]
    """Versions whose documents went."""
    files: list[tuple[str, int]] = field(default_factory=list)
    """Path and bytes of everything that went."""

    @property
    def num_bytes(self) -> int:
        """Bytes freed."""
        return sum(size for _, size in self.files)


@dataclass(frozen=True)
class RunLeft:
    """An unfinished run: what it holds under `runs/`."""

    run: str
    files: int
    num_bytes: int
    published: bool
    """It was published and only its tidying is left."""


def collect(
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
    with lease(store, wait=wait, notify=notify):
        known = readable(store)
        kept = set(known[-keep_last:]) | {t.version for t in tags(store)}.intersection(known)
        return sweep(store, kept, grace_s=grace_s, dry_run=dry_run)


def sweep(store: Store, kept: Collection[int], *, grace_s: float, dry_run: bool) -> Collected:
    """`collect` with the versions to keep given, for a caller that holds the lease."""
    everything = list(store.list())
    now = max((e.modified_s for e in everything), default=0.0)
    roots = _reached(store, kept, everything)
    going = [n for n in numbers(store) if n not in kept]
    documents = [e for e in everything if e.path in {version_path(n) for n in going}]
    rest = [e for e in everything if _is_garbage(e, roots, set(kept), now - grace_s)]
    files = [(e.path, e.size) for e in (*documents, *rest)]
    if not dry_run:
        store.delete([path for path, _ in files])
    return Collected(dry_run, sorted(kept), going, files)


def unfinished(dataset: str | Store) -> list[RunLeft]:
    """What is under `runs/`, by run."""
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    held: dict[str, list[Entry]] = {}
    for entry in store.list("runs"):
        held.setdefault(entry.path.split("/")[1], []).append(entry)
    return [
        RunLeft(run, len(es), sum(e.size for e in es), any(e.path == run_path(run, "published.json") for e in es))
        for run, es in sorted(held.items())
    ]


def abandon(
    dataset: str | Store, run: str, *, wait: bool = False, notify: Callable[[str], None] = lambda _: None
) -> RunLeft:
    """Give up an unfinished run: its receipts go, and what it had computed is computed again by the next run.

    Raises `ConfigError` for a run that is not there, `BusyError` while any run holds the dataset, unless `wait`.
    """
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    with lease(store, wait=wait, notify=notify):
        known = {left.run: left for left in unfinished(store)}
        if run not in known:
            raise ConfigError(f"no run {run!r} under {store.url}/runs; there are: {', '.join(known) or 'none'}")
        store.delete([e.path for e in store.list(f"runs/{run}")])
        return known[run]


def _reached(store: Store, kept: Collection[int], everything: list[Entry]) -> set[str]:
    """Paths of all objects that a kept version or a candidate lists."""
    documents = [version_path(n) for n in sorted(kept)]
    documents += [e.path for e in everything if re.fullmatch(r"runs/[^/]+/(candidate-[^/]+|published)\.json", e.path)]
    reached: set[str] = set()
    for path in documents:
        reached.update(p for p, _ in objects(VersionDocument.from_json(store.get(path), path)))
    return reached


def _is_garbage(entry: Entry, roots: set[str], kept: set[int], old: float) -> bool:
    top, _, rest = entry.path.partition("/")
    if top in SWEPT:
        return entry.path not in roots and entry.modified_s <= old
    if top == "derived":
        number = rest.partition("/")[0]
        return number.isdigit() and int(number) not in kept
    return False
