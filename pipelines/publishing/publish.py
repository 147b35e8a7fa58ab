"""Publish: from a gated candidate to `versions/<parent+1>.json`, the one atomic step of the system."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...loaders.storage.layout import run_path, version_path
from ...loaders.storage.objects import objects
from ...loaders.storage.store import Entry, Store
from ...schemas.counted import counted
from ...schemas.errors import IntegrityError
from ...schemas.keys import sha256_bytes
from ...schemas.version import VersionDocument

PUBLISHED = "published.json"
"""Of a run whose version is published: only its tidying is left."""


def publish(store: Store, document: VersionDocument) -> bool:
    """Make the candidate visible; False when another run published this number first.

    Raises `IntegrityError` when an object that the document lists is missing or has another size.
    """
    listed = list(objects(document))
    for (path, size), found in zip(listed, store.each(store.size, [path for path, _ in listed]), strict=True):
        if found != size:
            there = "the object is missing"
            if found is not None:
                there = f"it has {counted(found, 'byte')} where {size:,} are required"
            raise IntegrityError(
                f"{store.url}/{path}: {there}; nothing was published. "
                "`auricle verify` says what else is damaged and what to do"
            )
    data = document.to_json()
    if store.put_new(version_path(document.number), data):
        return True
    # a retried request may have succeeded the first time: the document is then ours
    return store.get(version_path(document.number)) == data


def keep_candidate(store: Store, run: str, document: VersionDocument) -> str:
    """Write the candidate beside its run, for inspection; returns its path."""
    data = document.to_json()
    path = run_path(run, f"candidate-{sha256_bytes(data)[:12]}.json")
    store.put_new(path, data)
    return path


def close_run(store: Store, run: str, document: VersionDocument) -> None:
    """Mark the run as published, then drop its plan, receipts and payloads: all of them are in the version."""
    store.put_new(run_path(run, PUBLISHED), document.to_json())
    _tidy(store, run)


def tidy_published(store: Store) -> list[str]:
    """Drop what is left of runs that were published when their tidying was interrupted; gives them."""
    found = published_runs(store.list("runs"))
    for run in found:
        _tidy(store, run)
    return found


def published_runs(entries: Iterable[Entry]) -> list[str]:
    """Of the files under `runs/`, the runs that are published: nothing in them is of use."""
    return sorted(e.path.split("/")[1] for e in entries if re.fullmatch(rf"runs/[^/]+/{re.escape(PUBLISHED)}", e.path))


def _tidy(store: Store, run: str) -> None:
    done = run_path(run, PUBLISHED)
    store.delete([e.path for e in (*store.list(run_path(run)), *store.left_behind(run_path(run))) if e.path != done])
    # last: until then it says that the rest is of no use
    store.delete([done])
