"""What a pass is made of: a recipe builds the work, the work gives one result per item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa


@dataclass(slots=True)
class Result:
    """What became of one item."""

    row: dict[str, Any]
    """One row of the receipt; holds `key`, and `error_reason` with `error_message` when the item failed."""
    payloads: dict[str, bytes] = field(default_factory=dict)
    """Bytes per family; the unit stores them and completes `row[family]` with where they are."""
    audio_s: float = 0.0


class Work(Protocol):
    """Processes items; yields exactly one result per item, in order, and never raises for a bad item.

    One that has a method `warm` loads with it what it would else load with the first item.
    """

    def __call__(self, items: Sequence[dict[str, Any]]) -> Iterator[Result]: ...


class Recipe(Protocol):
    """How to build a `Work` in a worker; picklable and small.

    One with the attribute `loads` False has no models: a worker keeps those of another pass beside it.
    """

    @property
    def name(self) -> str:
        """The pass: probe, score, extract."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """Of the receipts: `key`, `ERROR_FIELDS`, then what the pass makes."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever the rows that it makes may change."""
        ...

    def build(self) -> Work: ...


def failure(item: Mapping[str, Any], reason: str, message: str) -> Result:
    """The result of an item that failed."""
    return Result({"key": item["key"], "error_reason": str(reason), "error_message": message})
