"""Payloads are views into mapped shards, a cache on disk stays within its bound, and damage is named."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from auricle.loaders.storage.npy import npy_view
from auricle.loaders.storage.payloads import WHOLE_BYTES, Payloads
from auricle.loaders.storage.shard_cache import ShardCache, default_folder
from auricle.loaders.storage.store import Store
from auricle.schemas.errors import IntegrityError


class Remote(Store):
    """A folder that says it is an object store, and counts what is asked of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), create=True)
        self.folder, self.root, self.asked = folder, None, []

    def get(self, path: str) -> bytes:
        self.asked.append(path)
        return super().get(path)

    def get_ranges(self, path: str, starts: object, lengths: object) -> list[bytes]:
        self.asked.append(f"{path} in ranges")
        return super().get_ranges(path, starts, lengths)  # pyright: ignore[reportArgumentType]


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.uint16).reshape(3, 4),
        np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)),
        np.zeros((4, 0), np.uint16),
        np.array(3.5),
    ],
)
def test_a_view_is_what_numpy_reads(array: np.ndarray) -> None:
    found = npy_view(memoryview(npy(array)))
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)
    assert not found.flags.writeable


def test_what_is_no_array_of_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="magic"):
        npy_view(b"PK\x03\x04 and so on")
    with pytest.raises(ValueError, match=r"buffer|size"):
        npy_view(npy(np.arange(100))[:300])
    with pytest.raises(ValueError, match="objects"):
        npy_view(npy(np.array([None, 1], dtype=object)))


def test_a_local_shard_is_mapped_and_a_missing_or_empty_one_named(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(bytes(range(200)))
    (tmp_path / "empty.tar").write_bytes(b"")
    payloads = pickle.loads(pickle.dumps(Payloads(Store(str(tmp_path)))))
    first, second = payloads.read("a.tar", [3, 100], [4, 2])
    assert (bytes(first), bytes(second)) == (bytes([3, 4, 5, 6]), bytes([100, 101]))
    # past the end comes less, which no checksum lets through
    assert len(payloads.read("a.tar", [190], [50])[0]) == 10
    with pytest.raises(IntegrityError, match=r"b\.tar: the object is missing"):
        payloads.read("b.tar", [0], [1])
    with pytest.raises(IntegrityError, match=r"empty\.tar: the object is empty"):
        payloads.read("empty.tar", [0], [1])


def test_small_shards_come_whole_and_once_and_the_folder_stays_bounded(tmp_path: Path) -> None:
    remote = Remote(tmp_path / "bucket")
    for i in range(6):
        (remote.folder / f"{i}.tar").write_bytes(bytes([i]) * 1000)
    cache = ShardCache(tmp_path / "cache", limit_bytes=3000)
    payloads = Payloads(remote, cache)
    for _ in range(2):
        assert bytes(payloads.read("0.tar", [10], [5], 1000)[0]) == bytes(5)
    assert remote.asked == ["0.tar"]
    held = payloads.read("0.tar", [0], [1000], 1000)[0]
    for i in range(1, 6):
        payloads.read(f"{i}.tar", [0], [1], 1000)
        assert sum(f.stat().st_size for f in cache.folder.rglob("*.tar")) <= 3000
    # the oldest went, its reader still has it
    assert cache.find(remote, "0.tar", 1000) is None
    assert bytes(held) == bytes(1000)
    assert cache.find(remote, "5.tar", 1000) is not None
    # a copy of another size is none
    assert cache.find(remote, "5.tar", 999) is None


def test_a_large_shard_is_read_by_ranges_until_its_copy_is_there(tmp_path: Path) -> None:
    remote = Remote(tmp_path / "bucket")
    large = WHOLE_BYTES + 1000
    (remote.folder / "big.tar").write_bytes(b"ab" * (large // 2))
    payloads = Payloads(remote, ShardCache(tmp_path / "cache"))
    assert bytes(payloads.read("big.tar", [2], [3], large)[0]) == b"aba"
    assert payloads._coming["big.tar"].result(30) is not None
    assert bytes(payloads.read("big.tar", [5], [2], large)[0]) == b"ba"
    assert sorted(remote.asked) == ["big.tar", "big.tar in ranges"]
    # without a size, and without a cache, nothing is kept
    assert bytes(Payloads(remote).read("big.tar", [0], [2], large)[0]) == b"ab"
    assert remote.asked[-1] == "big.tar in ranges"


def test_the_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "auricle" / "shards"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home/.cache/auricle/shards"
