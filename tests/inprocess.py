"""Runs the pipeline without Ray: units one after another in this process, everything else as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from auricle.loaders.storage.store import Store
from auricle.pipelines.work.contract import Recipe
from auricle.pipelines.work.work_units import UnitOutcome, UnitRef, UnitWorker


def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the end of the test, passes run in this process."""

    for module in ("run", "relabel"):
        monkeypatch.setattr(f"auricle.pipelines.{module}.Pool", OneProcess)


class OneProcess:
    """`Pool`, with this process as its only worker."""

    def __init__(self, *_: Any) -> None: ...

    def start(self, *_: Any) -> None: ...

    def size(self, *_: Any) -> int:
        return 1

    def run(
        self, recipe: Recipe, store: Store, run: str, units: Sequence[UnitRef], *_: Any, **__: Any
    ) -> Iterator[UnitOutcome]:
        worker = UnitWorker(recipe, store, run)
        yield from (worker.run(ref) for ref in units)

    def let_go(self) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> OneProcess:
        return self

    def __exit__(self, *_: object) -> None: ...
