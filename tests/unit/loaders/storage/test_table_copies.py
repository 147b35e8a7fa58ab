"""Copies of remote tables are one user's, proven before they are opened, and bounded."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from auricle.loaders.storage import table_copies
from auricle.loaders.storage.store import Store
from auricle.loaders.storage.table_copies import copies_folder, local_part
from auricle.schemas.errors import IntegrityError, StorageError
from auricle.schemas.keys import sha256_bytes

URL = "s3://bucket/speech"


class Remote(Store):
    """A folder that says it is an object store, and counts what is asked of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), create=True)
        self.root, self.asked = None, []

    def get(self, path: str) -> bytes:
        self.asked.append(path)
        return super().get(path)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(table_copies, "_proven", {})
    return copies_folder(URL)


@pytest.fixture
def store(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "bucket")


def part(store: Remote, data: bytes) -> str:
    path = f"objects/clips/{sha256_bytes(data)}.parquet"
    store.put_new(path, data)
    return path


def test_the_folder_is_the_users_own_in_the_users_cache(tmp_path: Path, store: Remote, cache: Path) -> None:
    local_part(store, part(store, b"rows"), cache)
    assert cache.is_relative_to(tmp_path / "cache" / "auricle")
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_a_copy_is_made_once_and_a_planted_or_torn_one_is_fetched_again(
    store: Remote, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = part(store, b"rows")
    copy = local_part(store, path, cache)
    assert local_part(store, path, cache).read_bytes() == b"rows"
    assert store.asked == [path]
    copy.write_bytes(b"evil")
    assert local_part(store, path, cache).read_bytes() == b"rows"
    copy.unlink()
    (tmp_path / "planted").write_bytes(b"rows")
    copy.symlink_to(tmp_path / "planted")
    assert not local_part(store, path, cache).is_symlink()
    assert store.asked == [path] * 3
    # another process hashes what it finds
    monkeypatch.setattr(table_copies, "_proven", {})
    assert local_part(store, path, cache).read_bytes() == b"rows"
    assert store.asked == [path] * 3


def test_an_object_with_other_bytes_is_never_opened(store: Remote, cache: Path) -> None:
    path = f"objects/clips/{sha256_bytes(b'rows')}.parquet"
    store.put_new(path, b"other")
    with pytest.raises(IntegrityError, match="do not hash to its name"):
        local_part(store, path, cache)
    assert not list(cache.rglob("*.parquet"))


def test_copies_together_stay_within_the_bound_and_the_oldest_go(
    store: Remote, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_copies, "LIMIT_BYTES", 2_000)
    paths = [part(store, bytes([i]) * 600) for i in range(5)]
    for at, path in enumerate(paths):
        os.utime(local_part(store, path, cache), (at, at))
        # as if each were opened by a process of its own
        monkeypatch.setattr(table_copies, "_proven", {})
    assert {file.stem for file in cache.rglob("*.parquet")} == {Path(path).stem for path in paths[2:]}


def test_a_folder_that_is_a_link_is_refused(store: Remote, cache: Path, tmp_path: Path) -> None:
    cache.parent.mkdir(parents=True)
    (tmp_path / "theirs").mkdir()
    cache.symlink_to(tmp_path / "theirs")
    with pytest.raises(StorageError, match="XDG_CACHE_HOME"):
        local_part(store, part(store, b"rows"), cache)
