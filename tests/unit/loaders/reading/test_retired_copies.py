"""Copies of what was purged go from this machine, and only those."""

from __future__ import annotations

from pathlib import Path

import pytest

from auricle.loaders.reading.retired_copies import drop_retired
from auricle.loaders.storage.layout import clips_path, purged_path, shard_path
from auricle.loaders.storage.shard_cache import ShardCache
from auricle.loaders.storage.store import Store
from auricle.loaders.storage.table_copies import copies_folder

LIVE, GONE = shard_path("toy-codes", "a" * 64), shard_path("toy-codes", "b" * 64)
TABLE = clips_path("c" * 64)


class Remote(Store):
    """A folder that says it is an object store, and counts its listings."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), create=True)
        self.root, self.listed = None, list[str]()

    def list(self, prefix: str = ""):
        self.listed.append(prefix)
        return super().list(prefix)


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """One live shard, of which this machine has a copy, as of a shard and a table part that are not there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    store = Remote(tmp_path / "bucket")
    store.put_new(LIVE, b"live")
    copies = [ShardCache().copies(store) / name for name in (LIVE, GONE, f"{GONE}.part", f"{GONE}.lock")]
    other = ShardCache().copies(Remote(tmp_path / "another")) / GONE
    for copy in [*copies, other, copies_folder(store.url) / TABLE]:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(b"copy")
    return store


def names(store: Store) -> set[str]:
    folders = (ShardCache().copies(store), copies_folder(store.url))
    return {f.relative_to(folder).as_posix() for folder in folders for f in folder.rglob("*") if f.is_file()}


def test_copies_of_a_retired_version_go_when_the_dataset_is_next_opened(remote: Remote, tmp_path: Path) -> None:
    remote.put_new(purged_path(1), b"{}")
    assert drop_retired(remote, ShardCache()) == 4
    assert names(remote) == {LIVE, "retired"}
    # those of another dataset are its own affair
    assert (ShardCache().copies(Remote(tmp_path / "another")) / GONE).exists()


def test_nothing_is_looked_through_before_a_version_is_retired_nor_twice_for_one(remote: Remote) -> None:
    before = names(remote)
    assert drop_retired(remote, ShardCache()) == 0
    assert remote.listed == ["versions"]
    assert names(remote) == before
    remote.put_new(purged_path(1), b"{}")
    drop_retired(remote, ShardCache())
    remote.listed.clear()
    assert drop_retired(remote, ShardCache()) == 0
    assert remote.listed == ["versions"]
    remote.put_new(purged_path(2), b"{}")
    (ShardCache().copies(remote) / GONE).write_bytes(b"copy")
    assert drop_retired(remote, ShardCache()) == 1


def test_while_a_purge_is_at_work_the_copies_are_looked_through_again(remote: Remote) -> None:
    remote.put_new(purged_path(1), b"{}")
    remote.put_new("purging/x.parquet", b"")
    remote.put_new(GONE, b"not swept yet")
    drop_retired(remote, ShardCache())
    assert GONE in names(remote)
    remote.delete([GONE, "purging/x.parquet"])
    drop_retired(remote, ShardCache())
    assert names(remote) == {LIVE, "retired"}


def test_a_dataset_on_a_disk_has_no_copies(tmp_path: Path) -> None:
    assert drop_retired(Store(str(tmp_path)), ShardCache(tmp_path / "cache")) == 0
