"""Repair: a version without the shards that are damaged, so that the next run makes their samples again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...loaders.care.rewrite import Recipe, Rewrite
from ...loaders.care.verify import Finding, verify
from ...loaders.reading.version import Version
from ...loaders.storage.layout import shard_path
from ...loaders.storage.store import Store
from ...schemas.counted import counted
from ...schemas.errors import IntegrityError
from ...schemas.version import VersionDocument
from .amend import amend
from .pending import at_work, finish


@dataclass(frozen=True)
class Repair:
    """What was left out."""

    document: VersionDocument | None
    """The version without the damaged shards; None when the newest is whole."""
    shards: list[str]
    """Paths of the shards left out; damaged files among them were removed, so that they can be written again."""


def repair(
    dataset: str | Store,
    *,
    wait: bool = False,
    notify: Callable[[str], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Repair:
    """Verify the newest version and publish it without its missing or damaged shards.

    Its clips stay; the next run extracts exactly the samples that went. Older versions that list the same shards stay
    damaged unless the next run happens to write the same bytes.
    Raises `IntegrityError` for damage that is not in a shard: a table cannot be made again from itself.
    """
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    left_out: list[str] = []

    def make(newest: Version) -> VersionDocument | None:
        findings = verify(store, newest.document.number, progress=progress)
        lost = _lost(newest, findings)
        if not lost:
            return None
        left_out[:] = sorted(lost)
        recipe = Recipe(
            representations=tuple(newest.document.representations),
            stays=lambda shard, wanted: True,
            shard_bytes=1,
            lost=frozenset(lost.values()),
        )
        fields = Rewrite(newest, store, recipe).run()
        note = f"repaired version {newest.document.number}: {counted(len(lost), 'damaged shard')} left out"
        # equal inputs would let the next run believe that there is nothing to do
        return newest.document.model_copy(update={**fields, "note": note, "inputs": "", "stages": []})

    # a takedown that was interrupted may fail at the very damage that is mended here: it is finished afterwards
    with at_work(store, wait=wait, notify=notify, first=False):
        document = amend(store, "repair", make)
        # a file with the right name and wrong bytes would be taken for the object by whoever writes it again
        store.delete(left_out)
        finish(store, notify)
    return Repair(document, left_out)


def _lost(version: Version, findings: list[Finding]) -> dict[str, str]:
    """Path to hash of damaged shards. Raises `IntegrityError` for any other damage."""
    shards = {
        shard_path(name, s.sha256): s.sha256
        for name, entry in version.document.representations.items()
        for s in entry.shards
    }
    beyond = [f for f in findings if f.path not in shards and f.problem not in ("history", "count", "left behind")]
    if beyond:
        raise IntegrityError(
            f"{beyond[0]}\n{len(beyond)} findings are not in shards. Restore those objects from a copy, or roll back "
            "to a version that `auricle verify` finds undamaged."
        )
    return {f.path: shards[f.path] for f in findings if f.path in shards}
