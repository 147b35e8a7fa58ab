"""An archive that is as it was is not opened, a tar that grew is read from its old end; what is listed is the same."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from corpus import config, write_clip
from inprocess import without_ray

from auricle.loaders import Version
from auricle.loaders.storage.store import Store
from auricle.pipelines.archives.tars import Tar
from auricle.pipelines.listing import contents
from auricle.pipelines.listing.contents import Wanted
from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.pipelines.tables.remembered import NAME
from auricle.pipelines.upkeep.takedown import takedown
from auricle.pipelines.work import own_process
from auricle.schemas.config import RunConfig

CLIPS = 8
Members = Sequence[tuple[str, int, int]]
"""(name, which clip, time)."""


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("clips")
    return [write_clip(folder / f"{seed}.wav", seed).read_bytes() for seed in range(CLIPS)]


class Opened:
    """Counts which archives were listed, and from which byte of tars on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.starts: list[int] = []
        listed, members = contents.listed, Tar.members

        def counted(archive: str, since: Any = None) -> Any:
            self.names.append(Path(archive).name)
            return listed(archive, since)

        def from_byte(tar: Tar, start: int = 0) -> Any:
            self.starts.append(start)
            return members(tar, start)

        monkeypatch.setattr(contents, "listed", counted)
        monkeypatch.setattr(Tar, "members", from_byte)

    def clear(self) -> None:
        self.names, self.starts = [], []


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    return Opened(monkeypatch)


def add(tar: Path, clips: list[bytes], members: Members, when: int) -> Path:
    """Append to a tar, as `tar -r` does."""
    tar.parent.mkdir(exist_ok=True)
    with tarfile.open(tar, "a") as file:
        for name, which, time in members:
            item = tarfile.TarInfo(name)
            item.size, item.mtime = len(clips[which]), time
            file.addfile(item, io.BytesIO(clips[which]))
    os.utime(tar, (when, when))
    return tar


def settings(tmp_path: Path, data: str = "data", **source: Any) -> RunConfig:
    return config(Path("."), tmp_path / data, sources=[{"path": str(tmp_path / "in"), "name": "s"} | source])


def rows(version: Version) -> list[dict[str, Any]]:
    return sorted(version.clips(["clip", "path", "status", "recording"]).to_pylist(), key=lambda row: row["path"])


def aliases(version: Version) -> list[tuple[Any, ...]]:
    found = version.recordings().to_pylist()
    return sorted(tuple(alias.values()) for row in found for alias in row["aliases"])


def same_as_afresh(tmp_path: Path, version: Version, name: str) -> None:
    """What a dataset that has never seen the archives makes of them."""
    afresh = run(settings(tmp_path, name)).version
    assert aliases(version) == aliases(afresh)
    assert rows(version) == rows(afresh)


def test_archives_that_are_as_they_were_stay_closed(tmp_path: Path, clips: list[bytes], opened: Opened) -> None:
    add(tmp_path / "in" / "a.tar", clips, [("x.wav", 0, 100), ("y.wav", 1, 100), ("../z.wav", 2, 100)], 1_000)
    with zipfile.ZipFile(tmp_path / "in" / "b.zip", "w") as file:
        file.writestr("v.wav", clips[3])
    # no time of their own: they change with their tar
    add(tmp_path / "in" / "c.tar", clips, [("w.wav", 4, 0)], 1_000)
    first = run(settings(tmp_path)).version
    assert sorted(opened.names) == ["a.tar", "b.zip", "c.tar"]
    opened.clear()
    assert run(settings(tmp_path)).status == "unchanged"
    assert plan(settings(tmp_path)).unchanged
    write_clip(tmp_path / "in" / "loose.wav", 40)
    second = run(settings(tmp_path)).version
    assert opened.names == []
    assert {a for a in aliases(second) if "loose" not in a[1]} == set(aliases(first))
    same_as_afresh(tmp_path, second, "afresh")
    opened.clear()
    run(settings(tmp_path), paranoid=True)
    assert sorted(opened.names) == ["a.tar", "b.zip", "c.tar"]


def test_a_tar_that_grew_is_read_from_where_it_ended(tmp_path: Path, clips: list[bytes], opened: Opened) -> None:
    tar = add(tmp_path / "in" / "a.tar", clips, [("x.wav", 0, 100), ("y.wav", 1, 100), ("../z.wav", 2, 100)], 1_000)
    run(settings(tmp_path))
    opened.clear()
    # x.wav anew: of several members with one name the last counts
    add(tar, clips, [("x.wav", 2, 200), ("sub/v.wav", 3, 200), ("/etc/w.wav", 2, 200)], 2_000)
    second = run(settings(tmp_path)).version
    (start,) = opened.starts
    assert start > 2 * len(clips[0])
    assert [row["path"] for row in rows(second)] == [
        "a.tar/sub/v.wav", "a.tar/x.wav", "a.tar/y.wav",
    ]  # fmt: skip
    same_as_afresh(tmp_path, second, "afresh")
    opened.clear()
    add(tar, clips, [("u.wav", 4, 300)], 3_000)
    third = run(settings(tmp_path)).version
    assert opened.starts == [opened.starts[0]]
    assert opened.starts[0] > start
    same_as_afresh(tmp_path, third, "afresh-2")


@pytest.mark.parametrize("what", ["rewritten", "global header", "no times", "shrunk"])
def test_a_tar_that_is_another_one_is_read_whole(tmp_path: Path, clips: list[bytes], opened: Opened, what: str) -> None:
    time = 0 if what == "no times" else 100
    tar = add(tmp_path / "in" / "a.tar", clips, [("x.wav", 0, time), ("y.wav", 1, time)], 1_000)
    if what == "global header":
        with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "all"}) as file:
            item = tarfile.TarInfo("x.wav")
            item.size, item.mtime = len(clips[0]), 100
            file.addfile(item, io.BytesIO(clips[0]))
    run(settings(tmp_path))
    opened.clear()
    if what in ("rewritten", "shrunk"):
        time = 160
        tar.unlink()
        add(tar, clips, [("x.wav", 5, 150)], 2_000)
    if what != "shrunk":
        add(tar, clips, [("y.wav", 6, time), ("v.wav", 3, time)], 2_000)
    second = run(settings(tmp_path)).version
    assert opened.starts == [0]
    same_as_afresh(tmp_path, second, "afresh")


def test_another_include_lists_the_archives_again(tmp_path: Path, clips: list[bytes], opened: Opened) -> None:
    add(tmp_path / "in" / "a.tar", clips, [("x.wav", 0, 100), ("sub/y.wav", 1, 100)], 1_000)
    run(settings(tmp_path, include=["a.tar/*.wav"]))
    opened.clear()
    second = run(settings(tmp_path)).version
    assert opened.names == ["a.tar"]
    assert [row["path"] for row in rows(second)] == ["a.tar/sub/y.wav", "a.tar/x.wav"]


def test_no_names_of_members_are_kept_and_what_was_redacted_is_listed_again(
    tmp_path: Path, clips: list[bytes], opened: Opened
) -> None:
    add(tmp_path / "in" / "a.tar", clips, [("alice.wav", 0, 100), ("bob.wav", 1, 100)], 1_000)
    version = run(settings(tmp_path)).version
    (kept,) = (tmp_path / "data" / "derived").glob(f"*/{NAME}")
    assert "alice" not in str(pq.read_table(kept).to_pylist())
    clip = next(row["clip"] for row in rows(version) if row["path"].endswith("alice.wav"))
    takedown(str(tmp_path / "data"), clips=[clip], redact=True)
    opened.clear()
    run(settings(tmp_path))
    assert opened.names == ["a.tar"]


@pytest.mark.parametrize("damage", ["cut", "another"])
def test_what_is_remembered_is_not_trusted_when_damaged(
    tmp_path: Path, clips: list[bytes], opened: Opened, damage: str
) -> None:
    add(tmp_path / "in" / "a.tar", clips, [("x.wav", 0, 100)], 1_000)
    run(settings(tmp_path))
    (kept,) = (tmp_path / "data" / "derived").glob(f"*/{NAME}")
    data = kept.read_bytes()
    kept.write_bytes(data[:-20] if damage == "cut" else data[:200] + bytes([data[200] ^ 1]) + data[201:])
    opened.clear()
    assert run(settings(tmp_path)).status == "unchanged"
    assert opened.names == ["a.tar"]
    # and is kept anew
    opened.clear()
    run(settings(tmp_path))
    assert opened.names == []


@pytest.mark.parametrize("seed", range(2))
def test_nights_of_changes_give_what_one_run_gives(tmp_path: Path, clips: list[bytes], seed: int) -> None:
    rng = np.random.default_rng(seed)
    for night in range(1, 4):
        for name in ("a", "b", "c"):
            tar, does = tmp_path / "in" / f"{name}.tar", rng.integers(5)
            if does == 0 and tar.exists():
                tar.unlink()
            if does <= 2:
                chosen = rng.integers(len(clips), size=2)
                times = 100 * rng.integers(2, size=2)
                add(tar, clips, [(f"{k}.wav", int(k), int(t)) for k, t in zip(chosen, times, strict=True)], night * 99)
        write_clip(tmp_path / "in" / "loose.wav", 100 + night)
        version = run(settings(tmp_path), accept_losses=True).version
    same_as_afresh(tmp_path, version, "afresh")


def test_units_find_what_one_process_finds(
    tmp_path: Path, clips: list[bytes], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        add(tmp_path / "in" / f"{number:02d}.tar", clips, [(f"{number}.wav", number % CLIPS, 100)], 1_000)
    (tmp_path / "in" / "broken.zip").write_bytes(b"PK")
    here = run(settings(tmp_path)).version
    monkeypatch.setattr(own_process, "HERE_S", -1.0)
    monkeypatch.setattr(own_process, "MANY", 4)
    far = run(settings(tmp_path, "units")).version
    assert aliases(far) == aliases(here)
    stages = {stage.name: stage for stage in far.document.stages}
    assert stages["list"].done == 13
    assert "list" not in {stage.name for stage in here.document.stages}
    # the broken one cannot be known, and is alone here
    opened.clear()
    assert run(settings(tmp_path, "units")).status == "unchanged"
    assert opened.names == ["broken.zip"]


def test_a_run_that_was_interrupted_lists_no_archive_twice(
    tmp_path: Path, clips: list[bytes], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        add(tmp_path / "in" / f"{number}.tar", clips, [(f"{number}.wav", number, 100)], 1_000)
    monkeypatch.setattr(own_process, "HERE_S", -1.0)
    monkeypatch.setattr(own_process, "MANY", 4)
    with monkeypatch.context() as patch:
        patch.setattr("auricle.pipelines.run.take_in", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(settings(tmp_path))
    assert len(opened.names) == 6
    opened.clear()
    version = run(settings(tmp_path)).version
    assert opened.names == []
    assert len(aliases(version)) == 6
    assert not list(Store(str(tmp_path / "data")).list("runs"))


def test_archives_that_were_only_touched_leave_no_run_behind(
    tmp_path: Path, clips: list[bytes], opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    tars = [add(tmp_path / "in" / f"{n}.tar", clips, [(f"{n}.wav", n, 100)], 1_000) for n in range(6)]
    run(settings(tmp_path))
    monkeypatch.setattr(own_process, "HERE_S", -1.0)
    monkeypatch.setattr(own_process, "MANY", 4)
    for tar in tars:
        os.utime(tar, (2_000, 2_000))
    opened.clear()
    assert run(settings(tmp_path)).status == "unchanged"
    assert len(opened.names) == 6
    assert not list(Store(str(tmp_path / "data")).list("runs"))
    opened.clear()
    assert run(settings(tmp_path)).status == "unchanged"
    assert opened.names == []


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_key_of_an_archive_names_its_state() -> None:
    given = Wanted("/a.tar", 1, 2, None)
    assert (
        len({given.key, given._replace(size=2).key, given._replace(mtime_ns=3).key, given._replace(etag="e").key}) == 4
    )
