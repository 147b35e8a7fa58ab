"""Files that killed writes leave beside their targets on a disk: seen, told apart from live ones, removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dataset_factory import voices, write_version

from auricle.loaders.care.verify import verify
from auricle.loaders.storage import store as module
from auricle.loaders.storage.store import Store
from auricle.pipelines.upkeep.garbage import abandon, collect_garbage
from auricle.pipelines.upkeep.takedown import takedown

WRITE = """
import sys
from auricle.loaders.storage.store import Store
data = b"samples of a speaker" * (8 << 20)
print("go", flush=True)
Store(sys.argv[1]).put_new(sys.argv[2], data, durable=False)
"""


def killed_write(url: str, path: str) -> str:
    """Kills a process in the middle of a real write; the path of what it leaves, relative to the root."""
    folder = Path(url, path).parent
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-c", WRITE, url, path], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            until = time.monotonic() + 30
            while time.monotonic() < until and writer.poll() is None:
                found = list(folder.glob("*#*")) if folder.is_dir() else []
                if found:
                    writer.send_signal(signal.SIGKILL)
                    break
        if found and found[0].exists() and not Path(url, path).exists():
            return found[0].relative_to(url).as_posix()
        Path(url, path).unlink(missing_ok=True)
    raise AssertionError("no write was caught in the middle")


def test_what_a_killed_write_leaves_is_named_by_verify_and_removed_by_gc_and_purge(tmp_path: Path) -> None:
    url = str(tmp_path / "data")
    write_version(url, voices(3))
    for remove in (
        lambda: collect_garbage(url, dry_run=False),
        lambda: takedown(url, clips=[voices(1)[0].key], purge=True),
    ):
        left = killed_write(url, "shards/toy-codes-50hz/" + "0" * 64 + ".tar")
        assert left.endswith("#1")
        assert left not in {entry.path for entry in Store(url).list()}
        assert [entry.path for entry in Store(url).left_behind()] == [left]
        assert [(f.path, f.problem) for f in verify(url)] == [(left, "left behind")]
        assert left in dict(collect_garbage(url).files)
        remove()
        assert not Path(url, left).exists()
        assert verify(url) == []


def test_a_file_that_is_being_written_is_no_leftover(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    with (tmp_path / "x.tar#1").open("wb") as file:
        file.write(b"half")
        file.flush()
        assert store.left_behind() == []
    assert [(e.path, e.size) for e in store.left_behind()] == [("x.tar#1", 4)]


def test_where_the_system_cannot_say_who_writes_a_file_must_have_been_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.tar#1").write_bytes(b"half")
    monkeypatch.delattr(module.fcntl, "F_SETLEASE")
    assert Store(str(tmp_path)).left_behind() == []
    long_ago = time.time() - module.STILL_S - 1
    os.utime(tmp_path / "x.tar#1", (long_ago, long_ago))
    assert len(Store(str(tmp_path)).left_behind()) == 1


def test_names_with_a_number_sign_elsewhere_are_none_of_them(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for name in ("take#one.tar", "#1.tar", "a#1b", "plain"):
        (tmp_path / name).write_bytes(b"")
    assert store.left_behind() == []


def test_a_run_is_given_up_with_what_its_writes_left(tmp_path: Path) -> None:
    url = str(tmp_path / "data")
    write_version(url, voices(1))
    Store(url).put_new("runs/a/extract/payloads/toy/x", b"whole")
    Path(url, "runs/a/extract/payloads/toy/y#1").write_bytes(b"half")
    abandon(url, "a")
    assert not any(p.is_file() for p in Path(url, "runs").rglob("*"))
