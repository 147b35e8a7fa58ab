"""Amend: publish a version that is the newest one changed without a run (rollback, takedown, compact, repair)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from ...loaders.reading.version import Version, open_version
from ...loaders.storage.store import Store
from ...schemas.version import VersionDocument
from ..publishing.publish import publish
from .follow import follow_content

Make = Callable[[Version], VersionDocument | None]
"""The newest version to what the next one should hold; None when there is nothing to change."""


def amend(store: Store, kind: str, make: Make) -> VersionDocument | None:
    """Make the next version and publish it; made again when another writer published first. The caller holds the
    lease (`pending.at_work`)."""
    while True:
        newest = open_version(store)
        made = make(newest)
        if made is None:
            return None
        document = made.model_copy(
            update={
                "number": newest.document.number + 1,
                "parent": newest.document.number,
                "parent_sha256": newest.sha256,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "kind": kind,
            }
        )
        if publish(store, document):
            follow_content(store)
            return document
