"""Payloads are views into mapped shards, a cache on disk stays within its bound, and damage is named."""

from __future__ import annotations

import io
import pickle
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.loaders.reading.samples import checksum
from auricle.loaders.storage.npy import npy_view
from auricle.loaders.storage.payloads import WHOLE_BYTES, Payloads, Request
from auricle.loaders.storage.shard_cache import ShardCache, default_folder
from auricle.loaders.storage.store import Store
from auricle.schemas.errors import IntegrityError
from auricle.schemas.keys import sha256_bytes


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


@given(st.binary(max_size=300), st.integers(0, 40))
def test_the_fast_checksum_is_that_of_zlib(data: bytes, start: int) -> None:
    assert checksum(memoryview(data)[start:]) == zlib.crc32(data[start:])


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


def put(remote: Remote, data: bytes) -> str:
    """A shard named by its hash."""
    name = f"{sha256_bytes(data)}.tar"
    (remote.folder / name).write_bytes(data)
    return name


def test_small_shards_come_whole_and_once_and_the_folder_stays_bounded(tmp_path: Path) -> None:
    remote = Remote(tmp_path / "bucket")
    names = [put(remote, bytes([i]) * 1000) for i in range(6)]
    cache = ShardCache(tmp_path / "cache", limit_bytes=3000)
    payloads = Payloads(remote, cache)
    for _ in range(2):
        assert bytes(payloads.read(names[0], [10], [5], 1000)[0]) == bytes(5)
    assert remote.asked == [names[0]]
    held = payloads.read(names[0], [0], [1000], 1000)[0]
    for name in names[1:]:
        payloads.read(name, [0], [1], 1000)
        assert sum(f.stat().st_size for f in cache.folder.rglob("*.tar")) <= 3000
    # the oldest went, its reader still has it
    assert cache.find(remote, names[0], 1000) is None
    assert bytes(held) == bytes(1000)
    assert cache.find(remote, names[5], 1000) is not None
    # a copy of another size is none
    assert cache.find(remote, names[5], 999) is None


def test_a_large_shard_is_read_by_ranges_until_its_copy_is_there(tmp_path: Path) -> None:
    remote = Remote(tmp_path / "bucket")
    large = WHOLE_BYTES + 1000
    name = put(remote, b"ab" * (large // 2))
    payloads = Payloads(remote, ShardCache(tmp_path / "cache"))
    assert bytes(payloads.read(name, [2], [3], large)[0]) == b"aba"
    assert payloads._coming[name].result(30) is not None
    assert bytes(payloads.read(name, [5], [2], large)[0]) == b"ba"
    assert sorted(remote.asked) == [name, f"{name} in ranges"]
    # without a size, and without a cache, nothing is kept
    assert bytes(Payloads(remote).read(name, [0], [2], large)[0]) == b"ab"
    assert remote.asked[-1] == f"{name} in ranges"
    # whoever wants much of it waits for the copy rather than fetching its bytes twice
    remote.asked.clear()
    payloads = Payloads(remote, ShardCache(tmp_path / "other"))
    assert bytes(payloads.read(name, [1], [large // 5], large)[0][:2]) == b"ba"
    assert remote.asked == [name]


@pytest.mark.parametrize("planted", ["damaged", "of another process", "a link"])
def test_a_copy_that_is_not_what_its_name_says_is_fetched_again(tmp_path: Path, planted: str) -> None:
    remote = Remote(tmp_path / "bucket")
    name = put(remote, bytes(range(250)) * 4)
    cache = ShardCache(tmp_path / "cache")
    file = cache.copies(remote) / name
    file.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").write_bytes(b"x" * 1000)
    if planted == "a link":
        file.symlink_to(tmp_path / "elsewhere")
    else:
        file.write_bytes(b"x" * 1000)
        if planted == "damaged":
            assert cache.fetch(remote, name, 1000) == file
            # the same name, another file
            file.unlink()
            (tmp_path / "elsewhere").rename(file)
    assert bytes(Payloads(remote, cache).read(name, [1], [3], 1000)[0]) == bytes([1, 2, 3])
    assert sha256_bytes(file.read_bytes()) == file.stem


def test_a_shard_that_is_damaged_in_the_store_is_read_clip_by_clip_and_never_kept(tmp_path: Path) -> None:
    remote = Remote(tmp_path / "bucket")
    name = put(remote, bytes(1000))
    (remote.folder / name).write_bytes(bytes(999) + b"x")
    payloads = Payloads(remote, ShardCache(tmp_path / "cache"))
    for _ in range(2):
        assert bytes(payloads.read(name, [3], [4], 1000)[0]) == bytes(4)
    assert remote.asked == [name, f"{name} in ranges", f"{name} in ranges"]
    assert list((tmp_path / "cache").rglob("*.tar")) == []


def test_shards_of_an_object_store_are_asked_for_together_and_come_in_order(tmp_path: Path) -> None:
    remote = Remote(tmp_path / "bucket")
    names = [put(remote, bytes([i]) * 10) for i in range(5)]
    under_way = threading.Barrier(5, timeout=30)

    def slowly(path: str, starts: list[int], lengths: list[int]) -> list[bytes]:
        # passes only when all five are under way
        under_way.wait()
        return [(remote.folder / path).read_bytes()[s : s + n] for s, n in zip(starts, lengths, strict=True)]

    remote.get_ranges = slowly
    payloads = Payloads(remote)
    found = payloads.read_each([Request(name, [0, 2], [2, 1]) for name in names])
    read = [[bytes(part) for part in parts] for parts in found if not isinstance(parts, IntegrityError)]
    assert read == [[bytes([i]) * 2, bytes([i])] for i in range(5)]
    local = Payloads(Store(str(remote.folder)))
    first, second = local.read_each([Request(names[1], [0], [2]), Request("gone.tar", [0], [1])])
    assert not isinstance(first, IntegrityError)
    assert [bytes(part) for part in first] == [b"\1\1"]
    assert isinstance(second, IntegrityError)


def test_the_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "auricle" / "shards"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home/.cache/auricle/shards"
