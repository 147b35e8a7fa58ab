"""Verify and pull ask an object store for many objects at once, and never for more than are bounded."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from dataset_factory import CODES, voices, write_version

from auricle.loaders.care.moving import AT_ONCE as SHARDS_AT_ONCE
from auricle.loaders.care.moving import in_flight
from auricle.loaders.care.verify import verify
from auricle.loaders.copies.pull import pull
from auricle.loaders.storage.store import AT_ONCE, HELD_BYTES, Store, at_once

Result = TypeVar("Result")


class Slow(Store):
    """A folder that says it is an object store, and remembers how many requests of a kind were under way at once."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.root, self.busy, self.most, self.lock = None, Counter[str](), Counter[str](), threading.Lock()

    def size(self, path: str) -> int | None:
        return self._waited("head", lambda: Store.size(self, path))

    def get(self, path: str) -> bytes:
        return self._waited("get", lambda: Store.get(self, path))

    def _waited(self, kind: str, request: Callable[[], Result]) -> Result:
        with self.lock:
            self.busy[kind] += 1
            self.most[kind] = max(self.most[kind], self.busy[kind])
        time.sleep(0.02)
        try:
            return request()
        finally:
            with self.lock:
                self.busy[kind] -= 1


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Twelve parts of each table, 24 shards."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number in range(1, 13):
        write_version(str(tmp_path / "data"), voices(number))
    return str(tmp_path / "data")


def test_verify_asks_for_many_objects_at_once(dataset: str) -> None:
    store = Slow(dataset)
    assert verify(store) == []
    assert 6 <= store.most["head"] <= 2 * AT_ONCE
    assert 6 <= store.most["get"] <= 2 * AT_ONCE


def test_pull_asks_for_many_objects_at_once(dataset: str, tmp_path: Path) -> None:
    store = Slow(dataset)
    assert pull(store, str(tmp_path / "out"), [CODES.name]).copied == 12
    assert 6 <= store.most["get"] <= AT_ONCE
    assert verify(str(tmp_path / "out")) == []


def test_large_objects_are_asked_for_in_the_memory_of_a_few(tmp_path: Path) -> None:
    assert at_once(0) == at_once(1000) == AT_ONCE
    assert at_once(64 << 20) == HELD_BYTES // (64 << 20) == 4
    assert at_once(1 << 40) == 1
    store = Store(str(tmp_path))
    assert in_flight(store, 1000) == SHARDS_AT_ONCE
    store.root = None
    assert in_flight(store, 1000) == AT_ONCE
    assert in_flight(store, 64 << 20) == SHARDS_AT_ONCE
