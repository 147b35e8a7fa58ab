"""Labels in the forms that corpora come in; listings that stay inside their folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from auricle.pipelines.audio.decode import open_audio
from auricle.pipelines.score_files import read_table
from auricle.pipelines.tables.labels import read_labels
from auricle.pipelines.tables.listing import FILES, list_sources
from auricle.schemas.config import Source
from auricle.schemas.errors import ConfigError, StorageError


def labels(source: Source) -> tuple[dict[str, dict[str, object]], list[str]]:
    rows, notices = rows_of(source)
    return {str(row["path"]): row for row in rows}, notices


def rows_of(source: Source) -> tuple[list[dict[str, object]], list[str]]:
    notices: list[str] = []
    files, _ = listed(source)
    return [row for batch in read_labels([source], lambda: files, notices) for row in batch.to_pylist()], notices


def listed(*sources: Source) -> tuple[pa.Table, list[str]]:
    notices: list[str] = []
    return pa.Table.from_batches(list_sources(sources, notices), FILES), notices


def source(root: Path, **options: object) -> Source:
    return Source.model_validate({"path": str(root), **options})


def test_a_tsv_is_taken_literally_and_bad_lines_are_counted(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes(
        "\ufefffile\tspeaker\tlanguage\ttranscript\r\n"
        'a.wav\ts1\tEN-us\the said "yes\r\n'
        "b.wav\t\t\t\r\n"
        "c.wav\tonly two\r\n"
        "../../etc/passwd\ts\ten\tout\r\n"
        "sub/d.wav\ts2\tde\tline\u2028separator\r\n".encode()
    )
    found, notices = labels(source(tmp_path, transcripts="t.tsv"))
    assert set(found) == {"a.wav", "b.wav", "sub/d.wav"}
    assert found["a.wav"]["transcript"] == 'he said "yes'
    assert found["a.wav"]["language"] == "en"
    assert found["b.wav"]["transcript"] is None
    assert "2 lines of t.tsv" in notices[0]


def test_a_transcript_of_hours_is_read_and_a_line_that_is_no_table_line_is_only_that(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_bytes(
        b"file\tspeaker\tlanguage\ttranscript\n"
        b"a.wav\ts\ten\t" + b"word " * 60_000 + b"\n"
        b"b.wav\ts\ten\tbroken\rhere\n"
        b"\n"
        b"c.wav\ts\ten\tbell \x07 and \x1b[31mcolour\n"
    )
    found, notices = labels(source(tmp_path, transcripts="t.tsv"))
    assert len(str(found["a.wav"]["transcript"])) == 299_999
    assert "c.wav" in found
    assert "1 lines of t.tsv" in notices[0]
    loose = read_table(tmp_path / "t.tsv")
    assert len(str(loose[tmp_path.resolve() / "a.wav"].transcript)) == 299_999
    assert tmp_path.resolve() / "c.wav" in loose


def test_a_label_may_be_of_one_channel(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text(
        "file\tchannel\tspeaker\ttranscript\na.wav\t0\tann\thello\na.wav\t1\tbob\thi\nb.wav\t\tcy\tboth\nc.wav\t-1\t\tno\n"
    )
    (tmp_path / "m.jsonl").write_text(
        '{"audio_filepath": "a.wav", "text": "hello", "channel": 1}\n{"audio_filepath": "b.wav", "channel": "left"}\n'
    )
    rows, notices = rows_of(source(tmp_path, transcripts="t.tsv"))
    assert [(row["path"], row["channel"]) for row in rows] == [
        ("a.wav", 0),
        ("a.wav", 1),
        ("b.wav", None),
    ]
    assert "1 lines of t.tsv" in notices[0]
    rows, notices = rows_of(source(tmp_path, transcripts="m.jsonl"))
    assert [row["channel"] for row in rows] == [1]
    assert "1 lines of m.jsonl" in notices[0]


def test_a_csv_may_quote(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('file,transcript\na.wav,"one, ""two"""\n')
    assert labels(source(tmp_path, transcripts="t.csv"))[0]["a.wav"]["transcript"] == 'one, "two"'


def test_a_nemo_manifest_may_hold_spans(tmp_path: Path) -> None:
    rows = [
        {"audio_filepath": "a.wav", "text": "all"},
        {"audio_filepath": "c.wav", "text": "its first two seconds", "duration": 2.0},
        {"audio_filepath": str(tmp_path / "b.wav"), "text": "part", "offset": 1.5, "duration": 0.5, "lang": "de"},
        {"audio_filepath": "/elsewhere/c.wav", "text": "out"},
        {"text": "no file"},
    ]
    (tmp_path / "m.jsonl").write_text("\n".join([*map(json.dumps, rows), "{broken"]))
    found, notices = labels(source(tmp_path, transcripts="m.jsonl"))
    assert found["a.wav"]["start_s"] is None
    assert (found["c.wav"]["start_s"], found["c.wav"]["duration_s"]) == (0.0, 2.0)
    assert (found["b.wav"]["start_s"], found["b.wav"]["duration_s"]) == (1.5, 0.5)
    assert "3 lines of m.jsonl" in notices[0]


def test_librispeech_transcripts_lie_beside_the_audio(tmp_path: Path) -> None:
    folder = tmp_path / "84" / "121"
    folder.mkdir(parents=True)
    (folder / "84-121-0001.flac").write_bytes(b"x")
    (folder / "84-121.trans.txt").write_text("84-121-0001 GO DO YOU HEAR\n84-121-0002 NOT HERE\n")
    found, _ = labels(source(tmp_path, transcripts="trans.txt"))
    assert list(found) == ["84/121/84-121-0001.flac"]
    assert found["84/121/84-121-0001.flac"]["speaker"] == "84"


@pytest.mark.parametrize("name", ["absent.tsv", "t.xlsx", "no_header.tsv"])
def test_labels_that_cannot_be_used_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "t.xlsx").write_bytes(b"x")
    (tmp_path / "no_header.tsv").write_text("a.wav\thello\n")
    with pytest.raises(ConfigError, match=name.replace(".", r"\.")):
        labels(source(tmp_path, transcripts=name))


def test_a_source_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        listed(source(tmp_path / "unmounted"))


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
    assert any("1 links lead out" in n for n in notices)
    assert any("1 file names are not UTF-8" in n for n in notices)


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
    assert notices == [f"source {tmp_path.name!r}: no audio files in {tmp_path} that `include` takes"]


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


def test_a_language_is_written_in_one_way_wherever_it_comes_from(tmp_path: Path) -> None:
    assert Source(path=str(tmp_path), language="en-GB").language == "en"
    (tmp_path / "t.tsv").write_text("file\tlanguage\na.wav\ten-GB\nb.wav\tEN_us\n")
    found, _ = labels(source(tmp_path, transcripts="t.tsv"))
    assert {row["language"] for row in found.values()} == {"en"}
    assert {label.language for label in read_table(tmp_path / "t.tsv").values()} == {"en"}


def test_loose_scoring_takes_the_columns_that_a_table_has_in_any_letters(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("File\t Transcript\na.wav\tone two\n")
    assert read_table(tmp_path / "t.tsv")[tmp_path / "a.wav"].transcript == "one two"
    (tmp_path / "t.tsv").write_text("name\ttext\na.wav\tone two\n")
    with pytest.raises(ConfigError, match="has the columns name, text; a header line with `file`"):
        read_table(tmp_path / "t.tsv")


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
