"""Sweep: remove what no version that stays, no tag and no unfinished run reaches.

Files that killed writes left beside their targets go with them. Roots are the versions that stay and everything under
`runs/`: an unfinished run is abandoned only by an explicit command. Documents go first, so that no version is ever
visible without its objects.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from ...loaders.reading.version import numbers
from ...loaders.storage.layout import run_path, version_path
from ...loaders.storage.objects import objects
from ...loaders.storage.store import Entry, Store
from ...schemas.version import VersionDocument
from ..publishing.publish import published_runs

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


def sweep(store: Store, kept: Collection[int], *, grace_s: float, dry_run: bool) -> Collected:
    """`collect_garbage` with the versions to keep given, for a caller that holds the lease."""
    everything = list(store.list())
    now = max((e.modified_s for e in everything), default=0.0)
    roots = _reached(store, kept, everything)
    tidy = {run_path(run, "") for run in published_runs(everything)}
    going = [n for n in numbers(store) if n not in kept]
    documents = [e for e in everything if e.path in {version_path(n) for n in going}]
    rest = [e for e in everything if _is_garbage(e, roots, set(kept), now - grace_s)]
    rest += [e for e in everything if e.path.startswith(tuple(tidy))]
    # of no age: what is being written is not among them
    rest += store.left_behind()
    files = [(e.path, e.size) for e in (*documents, *rest)]
    if not dry_run:
        # before the rest begins to go: no version is ever visible without its objects
        store.delete([e.path for e in documents])
        store.delete([e.path for e in rest])
    return Collected(dry_run, sorted(kept), going, files)


def _reached(store: Store, kept: Collection[int], everything: list[Entry]) -> set[str]:
    """Paths of all objects that a kept version or a candidate of an unfinished run lists."""
    documents = [version_path(n) for n in sorted(kept)]
    unfinished = [e for e in everything if re.fullmatch(r"runs/[^/]+/candidate-[^/]+\.json", e.path)]
    done = published_runs(everything)
    documents += [e.path for e in unfinished if e.path.split("/")[1] not in done]
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
