"""How far the difficulty that a curriculum ranks by would come out the same again."""

from __future__ import annotations

import json

from ...loaders.reading.version import Version


def repeatability(version: Version, representation: str) -> float | None:
    """Split-half repeatability of the difficulty of a codes representation, from the version's diagnosis.

    None where the diagnosis could not measure it, or is not there. Of units with several sizes it is that of the
    largest, whose difficulty is kept.
    """
    data = version.derived("diagnostics.json")
    records = json.loads(data).get("representations") or {} if data is not None else {}
    sizes = {label: record for label, record in records.items() if label.partition("/")[0] == representation}
    if not sizes:
        return None
    largest = max(sizes, key=lambda label: int(label.partition("/")[2] or 0))
    return (sizes[largest].get("difficulty") or {}).get("split_half_repeatability")
