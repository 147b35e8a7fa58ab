"""Names and files that bite: odd paths, links, pipes, files that change or vanish while they are read."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_clip, write_corpus
from inprocess import without_ray

from auricle.jobs.judging.report import write_report
from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.copies.export import export
from auricle.loaders.copies.pull import pull
from auricle.pipelines.passes import probe
from auricle.pipelines.run import run
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.errors import ConfigError, GateError

ODD = (
    "with space.wav",
    "ünïcode – 音声 🎤.wav",
    "e\u0301 decomposed.wav",
    'quo\'te "double" `tick`.wav',
    "percent%20and#hash?query&amp;.wav",
    "semi;colon, comma {brace} [glob*].wav",
    "..leading dots..wav",
    "back\\slash.wav",
    "-dash.wav",
    "$HOME $(id).wav",
    "new\nline.wav",
)


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)


def test_odd_names_go_through_everything(tmp_path: Path) -> None:
    """A dataset in an odd folder, from odd files in an odd folder: run, report, verify, pull, export, takedown."""
    root = tmp_path / "a b" / "ü 'q' \"d\" %41 #1 ?x @2"
    audio, data = root / "audio äß; [1]", root / "dataset ñ"
    for seed, name in enumerate(ODD):
        write_clip(audio / "sub 'folder' #2" / name, seed)
    settings = config(audio, data, sources=[{"path": str(audio), "name": "odd"}])
    version = run(settings).version
    paths = {row["path"] for row in version.clips(["path"]).to_pylist()}
    assert paths == {f"sub 'folder' #2/{name}" for name in ODD}
    assert version.document.counts.kept == len(ODD)
    assert run(settings).status == "unchanged"
    assert verify(str(data)) == []
    write_report(version)
    pull(str(data), str(root / "pulled %2F"), ["cheap-codes"])
    assert verify(str(root / "pulled %2F")) == []
    for to in ("hf", "manifest", "webdataset"):
        assert export(str(data), str(root / f"out {to}"), to).clips == len(ODD)
    (audio / "sub 'folder' #2" / ODD[0]).rename(audio / "renamed ' quote.wav")
    assert "renamed ' quote.wav" in run(settings).version.clips(["path"])["path"].to_pylist()
    takedown(str(data), where="path like '%quo''te%'", purge=True)
    assert open_version(str(data)).document.counts.kept == len(ODD) - 1
    assert verify(str(data)) == []


def test_a_path_that_climbs_out_is_neither_a_label_nor_a_member(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    write_corpus(audio, 2)
    write_clip(tmp_path / "outside.wav", 7)
    (audio / "link.wav").symlink_to(tmp_path / "outside.wav")
    (audio / "folder").symlink_to(tmp_path)
    table = audio / "transcripts.tsv"
    table.write_text(table.read_text() + "../outside.wav\tx\ten\tfrom above\n" + "a/../../outside.wav\tx\ten\tagain\n")
    notices: list[str] = []
    version = run(config(audio, tmp_path / "data"), progress=Notes(notices)).version
    assert sorted(version.clips(["path"])["path"].to_pylist()) == ["clip_0000.wav", "clip_0001.wav"]
    assert any("link leads out" in n or "links lead out" in n for n in notices)
    assert any("2 lines of transcripts.tsv" in n for n in notices)


def test_a_pipe_a_socket_and_a_device_are_not_opened(tmp_path: Path) -> None:
    import socket

    audio = tmp_path / "audio"
    write_corpus(audio, 1)
    os.mkfifo(audio / "pipe.wav")
    (audio / "null.wav").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(audio / "socket.wav"))
        counts = run(config(audio, tmp_path / "data")).version.document.counts
    assert (counts.files, counts.clips) == (1, 1)


def test_a_file_that_changes_while_it_is_read_is_a_row_with_a_reason_and_read_again_next_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = tmp_path / "audio"
    write_corpus(audio, 3)
    settings = config(audio, tmp_path / "data")
    with changing(monkeypatch, audio / "clip_0001.wav", lambda path: write_clip(path, 99, seconds=0.7)):
        document = run(settings).version.document
    assert document.counts.kept == 2
    assert document.failed_by_reason == {"changed_while_read": 1}
    document = run(settings).version.document
    assert document.counts.kept == 3
    assert document.failed_by_reason == {}
    assert verify(str(tmp_path / "data")) == []


def test_a_file_that_vanishes_while_it_is_read_is_a_row_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio = tmp_path / "audio"
    write_corpus(audio, 3)
    settings = config(audio, tmp_path / "data")
    with changing(monkeypatch, audio / "clip_0001.wav", Path.unlink):
        document = run(settings).version.document
    assert document.counts.kept == 2
    assert sum(document.failed_by_reason.values()) == 1
    assert run(settings).version.document.counts.files == 2


@pytest.mark.parametrize("stage", ["score", "extract"])
def test_a_file_replaced_between_two_passes_fails_alone_and_is_taken_in_next_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Its scores and latents are never those of other bytes than its key says."""
    audio = tmp_path / "audio"
    write_corpus(audio, 3)
    settings = config(audio, tmp_path / "data")
    real = getattr(__import__("auricle.pipelines.run", fromlist=["run"]), stage)

    def replaced_first(this: Any, state: Any) -> None:
        write_clip(audio / "clip_0002.wav", 77)
        real(this, state)

    with monkeypatch.context() as patch:
        patch.setattr(f"auricle.pipelines.run.{stage}", replaced_first)
        first = run(settings).version
    assert first.document.counts.kept == 2
    assert {r["path"] for r in first.clips(["path", "status"]).to_pylist() if r["status"] == "failed"} == {
        "clip_0002.wav"
    }
    second = run(settings).version
    assert second.document.counts.kept == second.document.counts.clips == 3
    assert len(list(second.samples("cheap-codes"))) == 3
    assert verify(str(tmp_path / "data")) == []


def test_a_source_that_is_suddenly_empty_is_refused_by_the_gate(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    write_corpus(audio, 3)
    settings = config(audio, tmp_path / "data", gate={"enabled": True}, sources=[{"path": str(audio), "name": "s"}])
    assert run(settings).version.document.number == 1
    shutil.rmtree(audio)
    with pytest.raises(ConfigError, match="does not exist"):
        run(settings)
    audio.mkdir()
    with pytest.raises(GateError, match="gate refused"):
        run(settings)
    assert open_version(str(tmp_path / "data")).document.counts.kept == 3


class Notes:
    """Progress that keeps its notices."""

    def __init__(self, notices: list[str]) -> None:
        self.notices = notices

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None: ...

    def unit(self, outcome: Any) -> None: ...

    def end(self, stage: str) -> None: ...


@contextlib.contextmanager
def changing(monkeypatch: pytest.MonkeyPatch, path: Path, change: Callable[[Path], object]) -> Iterator[None]:
    """`path` changes after its bytes were hashed and before its samples are read."""
    real = probe.sha256_of

    def hashed(file: Path) -> str:
        found = real(file)
        if file == path:
            change(path)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(probe, "sha256_of", hashed)
        yield
