"""Compact: join the small shards and parts of many runs into full ones. The content of the version stays."""

from __future__ import annotations

from collections.abc import Callable

from ...loaders.care.rewrite import Progress, Recipe, Rewrite
from ...loaders.reading.version import Version
from ...loaders.storage.store import Store
from ...schemas.version import RepresentationEntry, VersionDocument
from ..publishing.assemble import ROWS_PER_PART
from ..publishing.pack import LIVE_SHARE_TO_KEEP
from .amend import amend
from .pending import at_work

SMALL = 0.5
"""Shards and parts below this share of their full size are packed with others."""


def compact(
    dataset: str | Store,
    *,
    shard_bytes: int | None = None,
    wait: bool = False,
    notify: Callable[[str], None] = lambda _: None,
    progress: Progress = lambda done, total: None,
) -> VersionDocument | None:
    """Publish the newest version with small or mostly dead shards packed into shards of `shard_bytes` (default what
    the configuration says) and small parts of the tables merged; None when there is nothing to gain.
    """
    store = dataset if isinstance(dataset, Store) else Store(dataset)

    def make(newest: Version) -> VersionDocument | None:
        size = shard_bytes or int(newest.document.config.get("shard_bytes", 64 << 20))
        packed = {s for entry in newest.document.representations.values() for s in to_pack(entry, size)}
        recipe = Recipe(
            representations=tuple(newest.document.representations),
            stays=lambda shard, wanted: shard.sha256 not in packed,
            shard_bytes=size,
            small_part=int(ROWS_PER_PART * SMALL),
            large_part=ROWS_PER_PART,
        )
        fields = Rewrite(newest, store, recipe, progress=progress).run()
        changed = ("clips", "recordings", "representations")
        if all(fields[name] == getattr(newest.document, name) for name in changed):
            return None
        note = f"compacted version {newest.document.number}"
        return newest.document.model_copy(update={**{n: fields[n] for n in changed}, "note": note, "stages": []})

    with at_work(store, wait=wait, notify=notify):
        return amend(store, "compact", make)


def to_pack(entry: RepresentationEntry, shard_bytes: int) -> set[str]:
    """Shards worth packing again: mostly dead ones, and small ones when together they make fewer."""
    dead = [s for s in entry.shards if s.live and s.live / s.rows < LIVE_SHARE_TO_KEEP]
    small = [s for s in entry.shards if s not in dead and s.num_bytes < SMALL * shard_bytes]
    living = sum(s.num_bytes * s.live / s.rows for s in (*dead, *small))
    if small and not dead and -(-living // shard_bytes) >= len(small):
        small = []
    return {s.sha256 for s in (*dead, *small)}
