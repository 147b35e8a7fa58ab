"""Runs the pipeline without Ray: units one after another in this process, everything else as it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pytest

from auricle.loaders.storage.store import Store
from auricle.pipelines.work.contract import Recipe
from auricle.pipelines.work.work_units import UnitOutcome, UnitRef, UnitWorker


def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the end of the test, passes run in this process."""

    @contextlib.contextmanager
    def session(workers: int | None) -> Iterator[int]:
        yield 1

    def units(recipe: Recipe, store: Store, run: str, refs: Sequence[UnitRef], workers: int) -> Iterator[UnitOutcome]:
        worker = UnitWorker(recipe, store, run)
        yield from (worker.run(ref) for ref in refs)

    for module in ("run", "relabel"):
        monkeypatch.setattr(f"auricle.pipelines.{module}.ray_session", session)
        monkeypatch.setattr(f"auricle.pipelines.{module}.run_units", units)
