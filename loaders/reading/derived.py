"""What was derived from a version and kept beside it: its profile, its diagnostics."""

from __future__ import annotations

from typing import Any

from ..storage.json_record import read_record
from ..storage.layout import derived_path
from .version import Version


def derived_record(version: Version, name: str, tag: str) -> dict[str, Any] | None:
    """The JSON record that was derived from a version, None when it was not made. Raises as `read_record` does."""
    path = derived_path(version.document.number, name)
    if not version.store.exists(path):
        return None
    return read_record(version.store, path, tag, [], "delete it: it is made again when it is asked for")
