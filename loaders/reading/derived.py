"""What was derived from a version and kept beside it: its profile, its diagnostics."""

from __future__ import annotations

from typing import Any

from ...schemas.derived import DIAGNOSTICS_SCHEMA, DIAGNOSTICS_SCHEMA_1, renamed
from ..storage.json_record import read_record
from ..storage.layout import derived_path
from .version import Version


def derived_record(version: Version, name: str, tag: str) -> dict[str, Any] | None:
    """The JSON record that was derived from a version, None when it was not made. Raises as `read_record` does."""
    path = derived_path(version.document.number, name)
    if not version.store.exists(path):
        return None
    return read_record(version.store, path, tag, [], "delete it: it is made again when it is asked for")


def diagnostics_record(version: Version) -> dict[str, Any] | None:
    """`diagnostics.json` of a version, None when it was not made.

    Measures are given under their present names. The gains of a /1 were not corrected for finite data. Raises as
    `derived_record` does.
    """
    data = version.derived("diagnostics.json")
    if data is None:
        return None
    first = f'"{DIAGNOSTICS_SCHEMA_1}"'.encode() in data[:200]
    record = derived_record(version, "diagnostics.json", DIAGNOSTICS_SCHEMA_1 if first else DIAGNOSTICS_SCHEMA)
    assert record is not None
    kept = {name: renamed(each) for name, each in record["representations"].items()}
    return record | {"representations": kept} | ({"comparisons": []} if first else {})
