"""Roll back: publish what an earlier version listed, under a new number. History only grows."""

from __future__ import annotations

from collections.abc import Callable

from ...loaders.care.apply_tombstones import tombstone_rewrite
from ...loaders.care.rewrite import Rewrite
from ...loaders.reading.tombstones import tombstones
from ...loaders.reading.version import Version, open_version
from ...loaders.storage.layout import clips_path, recordings_path
from ...loaders.storage.parts import checked_parts
from ...loaders.storage.store import Store
from ...schemas.counted import counted
from ...schemas.errors import ConfigError
from ...schemas.version import VersionDocument
from .amend import amend
from .pending import at_work
from .takedown_reach import carrying_shards


def rollback(
    dataset: str | Store, version: int | str, *, wait: bool = False, notify: Callable[[str], None] = lambda _: None
) -> VersionDocument:
    """Publish the objects of `version` (a number or tag) as the newest version; returns its document.

    What was taken down since stays away. The next run brings the dataset up to date with its sources again: change
    the configuration first when the rolled-back version came from it.
    Raises `ConfigError` when it is the newest already, or was retired, `IntegrityError` when a table of it is damaged.
    """
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    # said before anything is touched; a takedown that is finished at the door may retire it
    open_version(store, version)
    with at_work(store, wait=wait, notify=notify):
        old = open_version(store, version)
        number = old.document.number

        def make(newest: Version) -> VersionDocument:
            if number == newest.document.number:
                raise ConfigError(f"version {number} is the newest already: there is nothing to roll back")
            parts = [(part, clips_path(part.sha256)) for part in old.document.clips]
            parts += [(part, recordings_path(part.sha256)) for part in old.document.recordings]
            checked_parts(store, parts, old._cache)
            stones = tombstones(store)
            recipe = tombstone_rewrite(old, stones, carrying_shards(old, stones))
            fields = Rewrite(old, store, recipe).run() if stones.num_rows else {}
            made = old.document.model_copy(update=fields)
            said = content_of(number, left_out(old.document, made))
            return made.model_copy(update={"note": f"rolled back to {said}"})

        document = amend(store, "rollback", make)
    assert document is not None
    return document


def left_out(old: VersionDocument, restored: VersionDocument) -> int:
    """Clips of the old version that its restored one does not have, since they were taken down in between."""
    return old.counts.clips - restored.counts.clips


def content_of(version: int | str, left_out: int) -> str:
    """What a restored version holds, in words."""
    without = f" without {counted(left_out, 'clip')} that {'was' if left_out == 1 else 'were'} taken down"
    return f"version {version}{without if left_out else ''}"
