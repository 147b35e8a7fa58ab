"""Listings that stay inside their folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from auricle.pipelines.audio.decode import open_audio
from auricle.pipelines.listing.files import FILES, list_sources
from auricle.schemas.errors import ConfigError, StorageError
from auricle.schemas.source_config import Source


def listed(*sources: Source) -> tuple[pa.Table, list[str]]:
    notices: list[str] = []
    return pa.Table.from_batches(list_sources(sources, notices), FILES), notices


def source(root: Path, **options: object) -> Source:
    return Source.model_validate({"path": str(root), **options})


def test_a_source_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        listed(source(tmp_path / "unmounted"))


def test_of_a_relative_path_the_place_that_was_tried_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as refused:
        listed(Source.model_validate({"path": "./recordings"}))
    assert f"{tmp_path}/recordings does not exist (`path: ./recordings`)" in str(refused.value)
    assert f"relative to the folder in which the command runs ({tmp_path})" in str(refused.value)


def test_a_listing_takes_regular_audio_files_inside_the_tree(tmp_path: Path) -> None:
    import os

    root, outside = tmp_path / "root", tmp_path / "outside.wav"
    (root / "sub dir").mkdir(parents=True)
    outside.write_bytes(b"x")
    for name in ("a.wav", "sub dir/é 音声 (1).FLAC", "notes.txt"):
        (root / name).write_bytes(b"x")
    (root / "link_in.wav").symlink_to(root / "a.wav")
    (root / "link_out.wav").symlink_to(outside)
    (root / "dangling.wav").symlink_to(root / "nothing.wav")
    os.mkfifo(root / "pipe.wav")
    (root / os.fsdecode(b"\xff.wav")).write_bytes(b"x")
    files, notices = listed(source(root))
    assert files["path"].to_pylist() == ["a.wav", "link_in.wav", "sub dir/é 音声 (1).FLAC"]
    assert any("1 link leads out" in n for n in notices)
    assert any("1 file name is not UTF-8" in n for n in notices)


def test_links_to_folders_and_dots_in_paths_do_not_leave_the_tree(tmp_path: Path) -> None:
    root, outside = tmp_path / "with space" / "root", tmp_path / "outside"
    for folder in (root / "a", outside):
        folder.mkdir(parents=True)
        (folder / "x.wav").write_bytes(b"x")
    (root / "b").symlink_to(outside)
    (root / "loop").symlink_to(root)
    (root / "a" / "up.wav").symlink_to("../../../outside/x.wav")
    (root / "..hidden..wav").write_bytes(b"x")
    files, notices = listed(source(root / ".." / "root"))
    assert files["path"].to_pylist() == ["..hidden..wav", "a/x.wav"]
    assert any("to folders and were not followed" in n and n.endswith(f"example b -> {outside}") for n in notices)
    assert any("1 links lead to a folder that holds them" in n and "loop ->" in n for n in notices)


def test_links_to_folders_inside_the_tree_are_followed_and_none_without_end(tmp_path: Path) -> None:
    (tmp_path / "store" / "a").mkdir(parents=True)
    (tmp_path / "store" / "a" / "x.wav").write_bytes(b"x")
    (tmp_path / "here").symlink_to("store/a")
    (tmp_path / "store" / "a" / "up").symlink_to("..")
    (tmp_path / "away").symlink_to("store/b")
    (tmp_path / "itself").symlink_to("itself")
    files, notices = listed(source(tmp_path))
    assert files["path"].to_pylist() == ["here/x.wav", "store/a/x.wav"]
    assert any("2 links lead nowhere" in n and "for example away -> store/b" in n for n in notices)


def test_folders_that_link_to_each_other_have_an_end(tmp_path: Path) -> None:
    names = "abcdefgh"
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.wav").write_bytes(b"x")
    for name in names:
        for other in names.replace(name, ""):
            (tmp_path / name / f"to_{other}").symlink_to(f"../{other}")
    files, notices = listed(source(tmp_path))
    assert {name.split("/")[0] for name in files["path"].to_pylist()} == set(names)
    assert any("or lie behind 4 others" in n for n in notices)


def test_a_folder_that_cannot_be_read_stops_the_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files must not look as if they were gone."""
    import os

    (tmp_path / "locked").mkdir()
    real = os.scandir

    def scandir(folder: str) -> Any:
        if folder.endswith("locked"):
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(StorageError, match=r"locked: the folder cannot be listed \(Permission denied\)"):
        listed(source(tmp_path))


def test_a_hundred_thousand_files_in_one_folder_are_listed(tmp_path: Path) -> None:
    import os

    for i in range(100_000):
        os.mknod(f"{tmp_path}/{i}.wav")
    files, _ = listed(source(tmp_path))
    assert files.num_rows == 100_000
    assert files["path"].to_pylist() == sorted(f"{i}.wav" for i in range(100_000))
    # pytest keeps the folders of the last runs
    shutil.rmtree(tmp_path)


def test_a_source_without_audio_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    _, notices = listed(source(tmp_path))
    assert notices == [f"source {tmp_path.name!r}: no audio files in {tmp_path}"]
    _, notices = listed(source(tmp_path, include=["*.flac"]))
    assert notices == [f"source {tmp_path.name!r}: no audio files in {tmp_path} that `include` ['*.flac'] takes"]


def test_globs_choose_below_the_source(tmp_path: Path) -> None:
    for name in ("a.wav", "x/b.wav", "x/c.mp3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert listed(source(tmp_path, include=["x/*"]))[0]["path"].to_pylist() == ["x/b.wav", "x/c.mp3"]
    assert listed(source(tmp_path, include=["**/*.wav"]))[0]["path"].to_pylist() == ["a.wav", "x/b.wav"]


def test_include_reads_globs_as_shells_do(tmp_path: Path) -> None:
    for name in ("x.wav", "clean/x.wav", "clean/a/b/x.wav", "other/clean/x.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")

    def taken(*globs: str) -> list[str]:
        return sorted(listed(source(tmp_path, include=list(globs)))[0]["path"].to_pylist())

    assert taken("clean/**/*.wav") == ["clean/a/b/x.wav", "clean/x.wav"]
    assert taken("clean/*.wav") == ["clean/x.wav"]
    assert taken("*.wav") == ["x.wav"]
    assert taken("clean/**") == ["clean/a/b/x.wav", "clean/x.wav"]
    assert taken("**/clean/*.wav", "x.*") == ["clean/x.wav", "other/clean/x.wav", "x.wav"]
    assert len(taken("**/*")) == 4
    with pytest.raises(ConfigError, match=r"include 'a\*\*/x'"):
        taken("a**/x")


@pytest.mark.parametrize("codec", ["ac3", "eac3", "mp2"])
def test_what_the_decoders_open_is_listed(tmp_path: Path, codec: str) -> None:
    av = pytest.importorskip("av")
    np = pytest.importorskip("numpy")
    path = tmp_path / f"a.{codec}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000, layout="stereo")
        noise = np.random.default_rng(0).normal(0, 0.1, (2, 48_000)).astype("float32")
        frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="stereo")
        frame.sample_rate = 48_000
        resampler = av.AudioResampler(format=stream.codec_context.format, rate=48_000, layout="stereo")
        for part in resampler.resample(frame):
            for packet in stream.encode(part):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    assert listed(source(tmp_path))[0]["path"].to_pylist() == [path.name]
    with open_audio(path) as reader:
        assert sum(block.shape[1] for _, block in reader.blocks()) >= 47_000
