"""Pieces of a diagnosis as units: the same to the bit, kept over an interruption, and never pickled on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_factory import CODES, Recording, write_version
from hypothesis import given
from hypothesis import strategies as st
from inprocess import OneProcess

from auricle.diagnostics.estimates import jobs as estimates_jobs
from auricle.loaders.reading.version import open_version
from auricle.loaders.storage.store import Store
from auricle.pipelines.diagnosis.diagnose import diagnose
from auricle.pipelines.spread.packed import pack, unpack
from auricle.pipelines.spread.unit_jobs import UnitJobs
from auricle.schemas.errors import WorkerError


@dataclass(frozen=True)
class Inner:
    name: str
    share: float | None


@dataclass(frozen=True, eq=False)
class Outer:
    array: np.ndarray
    several: list[np.ndarray]
    inner: Inner
    named: dict[str, np.ndarray]
    pair: tuple[int, str]


@given(st.floats() | st.none(), st.text(max_size=5), st.lists(st.floats(width=32), max_size=4))
def test_what_is_unpacked_is_what_was_packed(share: float | None, name: str, values: list[float]) -> None:
    array = np.array(values, np.float32)
    given_ = Outer(array, [array, array[:1]], Inner(name, share), {name: array}, (3, name))
    found = unpack(pack(given_), Outer)
    assert found.array.dtype == np.float32
    assert found.array.tobytes() == array.tobytes()
    assert [each.tobytes() for each in found.several] == [array.tobytes(), array[:1].tobytes()]
    assert repr(found.inner) == repr(given_.inner)
    assert found.pair == given_.pair
    assert list(found.named) == [name]


def test_what_is_no_record_of_the_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="Inner"):
        unpack(pack(Outer(np.zeros(1), [], Inner("a", 1.0), {}, (1, "b"))), Plain)
    with pytest.raises(TypeError, match="set"):
        pack({1, 2})


@dataclass(frozen=True)
class Plain:
    inner: Inner


@dataclass(frozen=True)
class Squared:
    value: int


DONE: list[int] = []


def squared(number: int) -> Squared:
    DONE.append(number)
    if number == 13:
        raise ZeroDivisionError("unlucky")
    return Squared(number**2)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    DONE.clear()
    return Store(str(tmp_path / "data"), create=True)


class Ends(OneProcess):
    """A pool that is interrupted after some units."""

    def __init__(self, units: int) -> None:
        self._units = units

    def run(self, *arguments: Any, **options: Any) -> Any:
        for number, outcome in enumerate(super().run(*arguments, **options), start=1):
            yield outcome
            if number == self._units:
                raise KeyboardInterrupt


def values(jobs: UnitJobs, numbers: list[int]) -> list[int]:
    return [found.value for found in jobs(squared, numbers)]


def test_what_was_done_before_an_interruption_is_not_done_again(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        values(UnitJobs(store, "of this", Ends(2)), [1, 2, 3, 4])  # pyright: ignore[reportArgumentType]
    assert DONE == [1, 2]
    jobs = UnitJobs(store, "of this", OneProcess())  # pyright: ignore[reportArgumentType]
    assert values(jobs, [1, 2, 3, 4]) == [1, 4, 9, 16]
    assert DONE == [1, 2, 3, 4]
    # made from something else, it is another piece of work
    assert values(UnitJobs(store, "of that", OneProcess()), [1, 2]) == [1, 4]  # pyright: ignore[reportArgumentType]
    assert DONE == [1, 2, 3, 4, 1, 2]
    jobs.forget()
    assert not list(store.list(f"runs/{jobs.run}"))


def test_a_job_that_fails_says_why_and_is_tried_again(store: Store) -> None:
    jobs = UnitJobs(store, "of this", OneProcess())  # pyright: ignore[reportArgumentType]
    for tries in (1, 2):
        with pytest.raises(WorkerError, match=r"part 2 of 2 .*unlucky"):
            values(jobs, [1, 13])
        # within a unit an item that raised is tried once more, by itself
        assert (DONE.count(1), DONE.count(13)) == (1, 2 * tries)


def test_a_diagnosis_by_units_is_that_of_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates_jobs, "MANY_CODES", 0)
    recordings = [Recording(f"v{i:02d}", speaker=f"s{i % 6}", num_samples=16_000 * 8) for i in range(24)]
    write_version(f"{tmp_path}/dataset", recordings, representations=[CODES])
    version = open_version(f"{tmp_path}/dataset")
    alone = diagnose(version, workers=1, reconstruct=0)
    difficulty = version.derived(f"difficulty-{CODES.name}.parquet")
    assert diagnose(version, on=OneProcess(), reconstruct=0) == alone  # pyright: ignore[reportArgumentType]
    assert version.derived(f"difficulty-{CODES.name}.parquet") == difficulty
    assert not list(version.store.list("runs"))
