"""Lists of paths and addresses as a source: the same clips as in a folder, and nothing of a list lost silently."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_clip
from inprocess import without_ray
from object_store import s3_server, use_s3
from web_server import Web, web_server

from auricle.loaders import Version
from auricle.loaders.care.verify import verify
from auricle.loaders.storage.store import Store
from auricle.pipelines.audio.listen import clip_audio
from auricle.pipelines.inspect_source import inspect_source
from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.pipelines.work.progress import Silent
from auricle.schemas.config import RunConfig
from auricle.schemas.errors import ConfigError, LossError


class Told(Silent):
    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, line: str) -> None:
        self.notices.append(line)


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)
    monkeypatch.setattr("auricle.loaders.storage.retries.BACKOFF_S", 0.001)


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as found:
        yield found


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    for seed, name in enumerate(("a", "b", "sub/c", "d é")):
        write_clip(tmp_path / "audio" / f"{name}.wav", seed)
    return tmp_path / "audio"


def settings(source: Path | str, data: Path, **options: Any) -> RunConfig:
    return config(Path("."), data, sources=[{"path": str(source), "name": "s"} | options])


def clips(version: Version, *columns: str) -> dict[str, Any]:
    rows = version.clips(["clip", "path", "status", *columns]).to_pylist()
    return {row["path"]: tuple(row[c] for c in ("clip", "status", *columns)) for row in rows}


def write(path: Path, *lines: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(map(str, lines)) + "\n")
    return path


def test_a_list_gives_the_clips_that_its_files_give(audio: Path, tmp_path: Path, web: Web) -> None:
    known = clips(run(settings(audio, tmp_path / "folder")).version)
    web.files = {"/x/b one.wav": (audio / "b.wav").read_bytes(), "/c.wav": (audio / "sub" / "c.wav").read_bytes()}
    lines = ("# our list", "", "a.wav", f"{web.url}/x/b%20one.wav", f"{web.url}/c.wav", f"file://{audio}/d%20é.wav")
    version = run(settings(write(audio / "all.txt", *lines), tmp_path / "data")).version
    found = clips(version)
    assert sorted(found) == sorted(["a.wav", f"{web.url}/x/b%20one.wav", f"{web.url}/c.wav", "d é.wav"])
    assert sorted(found.values()) == sorted(known.values())
    assert verify(str(tmp_path / "data")) == []
    for row in version.clips().to_pylist():
        waveform, _ = clip_audio(version, row)
        assert len(waveform) == row["end"] - row["start"]


def test_what_did_not_change_is_not_read_again(audio: Path, tmp_path: Path, web: Web) -> None:
    web.files = {"/a.wav": (audio / "a.wav").read_bytes(), "/b.wav": (audio / "b.wav").read_bytes()}
    given = settings(write(tmp_path / "lists" / "l.lst", f"{web.url}/a.wav", f"{web.url}/b.wav"), tmp_path / "data")
    first = run(given).version
    web.asked.clear()
    assert run(given).status == "unchanged"
    assert {method for method, _ in web.asked} == {"HEAD"}
    web.files["/a.wav"] = (audio / "sub" / "c.wav").read_bytes()
    second = run(given).version
    assert [path for method, path in web.asked if method == "GET" and path == "/b.wav"] == []
    assert clips(second)[f"{web.url}/b.wav"] == clips(first)[f"{web.url}/b.wav"]
    assert clips(second)[f"{web.url}/a.wav"] != clips(first)[f"{web.url}/a.wav"]
    web.etags = False
    run(given)
    web.times["/a.wav"] = 1.8e9
    web.files["/a.wav"] = (audio / "d é.wav").read_bytes()
    assert clips(run(given).version)[f"{web.url}/a.wav"] != clips(second)[f"{web.url}/a.wav"]


def test_an_address_that_does_not_answer_is_tried_again_and_a_known_one_stays(
    audio: Path, tmp_path: Path, web: Web
) -> None:
    web.files = {"/a.wav": (audio / "a.wav").read_bytes(), "/b.wav": (audio / "b.wav").read_bytes()}
    web.status = {"/b.wav": 503}
    given = settings(write(tmp_path / "l.txt", f"{web.url}/a.wav", f"{web.url}/b.wav"), tmp_path / "data")
    told = Told()
    version = run(given, progress=told).version
    assert version.document.failed_by_reason == {"storage": 1}
    assert version.document.counts.failed_files == 1
    assert any("1 file that it names cannot be looked at now" in line for line in told.notices)
    web.status = {"/a.wav": 503}
    version = run(given).version
    assert set(clips(version)) == {f"{web.url}/a.wav", f"{web.url}/b.wav"}
    assert version.document.counts.failed_files == 0
    web.status = {}
    assert run(given).status == "unchanged"


def test_what_is_not_there_fails_or_is_kept_as_the_source_says(audio: Path, tmp_path: Path, web: Web) -> None:
    web.files = {"/b.wav": (audio / "b.wav").read_bytes()}
    shutil.copy(audio / "a.wav", tmp_path / "a.wav")
    listing = write(tmp_path / "l.txt", "a.wav", "gone.wav", f"{web.url}/b.wav", f"{web.url}/gone.wav")
    told = Told()
    first = run(settings(listing, tmp_path / "data"), progress=told).version
    assert first.document.failed_by_reason == {"missing": 2}
    assert any("2 files that it names are not there, for example gone.wav" in line for line in told.notices)
    web.files.clear()
    (tmp_path / "a.wav").unlink()
    kept = run(settings(listing, tmp_path / "data", missing="keep")).version
    assert {path: status for path, (_, status) in clips(kept).items()} == {"a.wav": "kept", f"{web.url}/b.wav": "kept"}
    retired = run(settings(listing, tmp_path / "data")).version
    assert clips(retired) == {}
    assert retired.document.failed_by_reason == {"missing": 4}


def test_a_disk_that_is_not_mounted_stops_a_run(tmp_path: Path) -> None:
    for seed in range(25):
        write_clip(tmp_path / "disk" / f"{seed}.wav", seed, seconds=0.1)
    given = settings(write(tmp_path / "l.txt", *(tmp_path / "disk").iterdir()), tmp_path / "data")
    run(given)
    (tmp_path / "disk").rename(tmp_path / "elsewhere")
    with pytest.raises(LossError, match="lost 25 of its 25 files"):
        run(given)


def test_lines_that_name_nothing_are_counted_with_an_example(audio: Path, tmp_path: Path) -> None:
    lines = [
        {"audio_filepath": "a.wav"}, {"audio_filepath": "ftp://host/a.wav"}, {"audio_filepath": ""}, "no json",
        {"audio_filepath": "https://host/a.wav?token=1"}, {"audio_filepath": "./a.wav"}, {"audio_filepath": 3},
    ]  # fmt: skip
    listing = write(audio / "l.jsonl", *(line if isinstance(line, str) else json.dumps(line) for line in lines))
    told = Told()
    version = run(settings(listing, tmp_path / "data"), progress=told).version
    assert list(clips(version)) == ["a.wav"]
    notice = "\n".join(told.notices)
    assert "5 lines of l.jsonl cannot be used. 2: no recording is named" in notice
    assert "1: its address begins with none of s3://" in notice
    assert "1: its address has a query or a mark" in notice
    assert "1: it is not JSON" in notice
    assert "1 line names a file that another line names" in notice


def test_a_list_labels_its_own_recordings_and_archives_in_it_stay_packed(audio: Path, tmp_path: Path, web: Web) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(audio / "sub" / "c.wav", "c.wav")
    web.files = {"/b.wav": (audio / "b.wav").read_bytes(), "/shard.tar": packed.getvalue()}
    rows = [
        ("a.wav", "one"),
        (f"{web.url}/b.wav", "two"),
        (f"{web.url}/shard.tar", ""),
        (str(audio / "d é.wav"), "four"),
    ]
    table = write(audio / "list.tsv", "url\ttext", *("\t".join(row) for row in rows))
    version = run(settings(table, tmp_path / "data", transcripts="list.tsv")).version
    assert {path: found[2] for path, found in clips(version, "transcript").items()} == {
        "a.wav": "one", f"{web.url}/b.wav": "two", f"{web.url}/shard.tar/c.wav": None, "d é.wav": "four"
    }  # fmt: skip
    assert len({clip for clip, *_ in clips(version).values()}) == 4


def test_one_address_is_a_source_and_so_is_a_list_on_a_server(audio: Path, tmp_path: Path, web: Web) -> None:
    web.files = {"/x/a.wav": (audio / "a.wav").read_bytes(), "/x/l.txt": f"a.wav\n{web.url}/none.wav\n".encode()}
    alone = run(settings(f"{web.url}/x/a.wav", tmp_path / "one")).version
    listing = run(settings(f"{web.url}/x/l.txt", tmp_path / "two")).version
    assert clips(alone) == clips(listing)
    assert list(clips(alone)) == ["a.wav"]
    assert listing.document.failed_by_reason == {"missing": 1}
    with pytest.raises(ConfigError, match="does not exist"):
        run(settings(f"{web.url}/x/none.txt", tmp_path / "three"))


def test_a_plan_and_inspect_look_at_lists(audio: Path, tmp_path: Path, web: Web) -> None:
    web.files = {"/b.wav": (audio / "b.wav").read_bytes()}
    listing = write(audio / "list.tsv", "file\ttext", "a.wav\tone", f"{web.url}/b.wav\ttwo")
    assert plan(settings(listing, tmp_path / "data")).new_files == 2
    found = inspect_source(str(listing))
    assert (found.files, found.opened) == (2, 2)
    assert [label.transcripts for label in found.labels] == ["list.tsv"]


def test_a_list_that_is_none_is_refused(audio: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        plan(settings(audio / "none.txt", tmp_path / "data"))
    with pytest.raises(ConfigError, match="one that names the recording is required"):
        plan(settings(write(audio / "x.csv", "speaker,words", "ann,hello there"), tmp_path / "data"))
    with pytest.raises(ConfigError, match="nothing can be written there"):
        run(settings(audio, Path("https:")).model_copy(update={"dataset": "https://host/data"}))


def test_a_list_may_name_objects_and_lie_among_them(
    audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = clips(run(settings(audio, tmp_path / "folder", include=["a.wav", "b.wav"])).version)
    with s3_server() as endpoint:
        use_s3(endpoint, "speech", tmp_path / "cache", monkeypatch)
        store = Store("s3://speech/x")
        for name in ("a.wav", "b.wav"):
            store.put_new(name, (audio / name).read_bytes())
        store.put_new("l.txt", b"a.wav\ns3://speech/x/none.wav\n")
        for listing in ("s3://speech/x/l.txt", str(write(tmp_path / "l.txt", "s3://speech/x/b.wav"))):
            version = run(settings(listing, tmp_path / "data", name="s")).version
            [(path, found)] = clips(version).items()
            assert found == known[path.rpartition("/")[2]]
