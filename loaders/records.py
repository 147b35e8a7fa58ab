"""Small JSON records of a dataset: tags, companions of retired versions, leases, intents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..schemas.errors import IntegrityError
from ..schemas.version import require_major
from .layout import derived_path
from .store import Store

if TYPE_CHECKING:
    from .version import Version


def read_record(store: Store, path: str, tag: str, fields: Sequence[str], advice: str) -> dict[str, Any]:
    """The record at `path`, with at least `fields`; `advice` is what to do about a damaged one.

    Raises `SchemaVersionError` when it is of another major than `tag`, `IntegrityError` when it is damaged.
    """
    try:
        record = json.loads(store.get(path))
        found = record.get("schema")
    except (ValueError, AttributeError) as error:
        raise IntegrityError(f"{store.url}/{path}: no readable record ({error}); {advice}") from error
    # another major may have other fields
    if found is not None:
        require_major(str(found), tag, path)
    missing = [name for name in ("schema", *fields) if name not in record]
    if missing:
        raise IntegrityError(f"{store.url}/{path}: the record has no {missing[0]!r}; {advice}")
    return record


def derived_record(version: Version, name: str, tag: str) -> dict[str, Any] | None:
    """The JSON record that was derived from a version, None when it was not made. Raises as `read_record` does."""
    path = derived_path(version.document.number, name)
    if not version.store.exists(path):
        return None
    return read_record(version.store, path, tag, [], "delete it: it is made again when it is asked for")
