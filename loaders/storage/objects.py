"""The objects of a version: every file that its document names by hash."""

from __future__ import annotations

from collections.abc import Iterator

from ...schemas.version import VersionDocument
from .layout import clips_path, recordings_path, shard_path
from .store import Store


def objects(document: VersionDocument) -> Iterator[tuple[str, int]]:
    """Path and size of every object of a version."""
    for part in document.clips:
        yield clips_path(part.sha256), part.num_bytes
    for part in document.recordings:
        yield recordings_path(part.sha256), part.num_bytes
    for name, entry in document.representations.items():
        for shard in entry.shards:
            yield shard_path(name, shard.sha256), shard.num_bytes


def put_object(store: Store, path: str, data: bytes) -> None:
    """Store an object that is named by its content; one that is there with other bytes was damaged, and is replaced."""
    if not store.put_new(path, data) and store.get(path) != data:
        store.delete([path])
        store.put_new(path, data)
