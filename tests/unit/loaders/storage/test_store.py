"""What a store says when it cannot be used."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from auricle.loaders.storage.store import AT_ONCE, Store, located
from auricle.schemas.errors import StorageError


def test_an_object_store_without_credentials_says_soon_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    # nothing listens there
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(StorageError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        list(Store("s3://bucket/dataset").list())
    # two pauses of 0.6 and 1.2 s at most; asked eight times it takes a minute
    assert time.monotonic() - started < 10


class Slow(Store):
    """An object store, 20 ms away, that says how many requests were under way at once."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.root, self.busy, self.most, self.lock = None, 0, 0, threading.Lock()

    def slowly(self, path: str) -> str:
        with self.lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
        time.sleep(0.02)
        with self.lock:
            self.busy -= 1
        if path == "bad":
            raise StorageError("bad")
        return path


def test_many_small_requests_are_under_way_at_once_bounded_and_in_order(tmp_path: Path) -> None:
    store, paths = Slow(str(tmp_path)), [str(i) for i in range(100)]
    assert list(store.each(store.slowly, paths)) == paths
    assert 8 <= store.most <= AT_ONCE


def test_the_first_error_of_many_requests_ends_them(tmp_path: Path) -> None:
    store, done = Slow(str(tmp_path)), []
    with pytest.raises(StorageError, match="bad"):
        done.extend(store.each(store.slowly, ["a", "bad", *map(str, range(1000))]))
    assert store.busy == 0


def test_on_a_disk_requests_follow_each_other(tmp_path: Path) -> None:
    store = Slow(str(tmp_path))
    store.root = tmp_path
    assert list(store.each(store.slowly, ["a", "b", "c"])) == ["a", "b", "c"]
    assert store.most == 1


def test_a_bucket_stays_open_between_objects_until_the_environment_says_otherwise(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    first, name = located("s3://bucket/talks/a.flac")
    assert (first.url, name) == ("s3://bucket", "talks/a.flac")
    assert located("s3://bucket/other/b.flac")[0] is first
    assert located("s3://second/b.flac")[0] is not first
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert located("s3://bucket/talks/a.flac")[0] is not first
