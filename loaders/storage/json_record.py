"""Small JSON records of a dataset: tags, companions of retired versions, leases, intents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ...schemas.errors import IntegrityError
from ...schemas.version import require_major
from .store import Store


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
