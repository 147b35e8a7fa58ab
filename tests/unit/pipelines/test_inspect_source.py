"""Looking at a source before any run: what it holds, which labels fit, and a configuration that runs."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from corpus import config as cheap
from corpus import write_clip, write_corpus
from inprocess import without_ray

from auricle.jobs.loose.inspect_source import lines, proposed
from auricle.pipelines.inspect_source import inspect_source
from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.schemas.config import RunConfig
from auricle.schemas.errors import ConfigError


def test_a_folder_with_a_table_is_told_with_hours_formats_and_labels(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", 4)
    soundfile.write(tmp_path / "in/b.flac", np.zeros((8000 * 3, 2)), 8000)
    (tmp_path / "in/broken.wav").write_bytes(b"nonsense")
    (tmp_path / "in/notes.csv").write_text("a,b\n1,2\n")
    found = inspect_source(str(tmp_path / "in"))
    assert (found.files, found.more, found.opened, found.archives) == (6, False, 5, 0)
    assert found.endings == {".wav": 5, ".flac": 1}
    assert found.sample_rates == {"16000": 4, "8000": 1}
    assert found.channels == {"1": 4, "2": 1}
    assert found.hours == pytest.approx((4 * 0.5 + 3) / 3600, rel=0.05)
    [labels] = found.labels
    assert (labels.transcripts, labels.format, labels.recordings, labels.with_text) == ("transcripts.tsv", "tsv", 4, 4)
    assert (labels.speakers, labels.languages, labels.unusable) == (4, ("en",), 0)
    assert found.problems == ["broken.wav: not_audio: Format not recognised"]
    assert "6 recordings" in lines(found)[0]
    assert "about 5 s, estimated" in " ".join(lines(found))


def test_headers_that_say_more_or_less_than_is_there_are_problems(tmp_path: Path) -> None:
    for name, factor in (("long", 4), ("short", 0.5), ("right", 1)):
        path = write_clip(tmp_path / f"{name}.wav", 1)
        data = bytearray(path.read_bytes())
        place = data.index(b"data") + 4
        data[place : place + 4] = int(16000 * factor).to_bytes(4, "little")
        path.write_bytes(data)
    assert inspect_source(str(tmp_path)).problems == [
        "long.wav: truncated: its header declares 64,000 bytes of audio, the file has only 16,000",
        "short.wav: its header declares 8,000 bytes of audio, and is followed by 8,000 bytes that are not read",
    ]


def test_the_configuration_that_is_printed_runs_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(tmp_path / "my talks: 2", 2)
    monkeypatch.chdir(tmp_path)
    text = proposed(inspect_source("my talks: 2"))
    config = RunConfig.model_validate(yaml.safe_load(text))
    assert config.dataset == "./my talks: 2-dataset"
    assert [rule.reason for rule in config.keep] == ["noisy", "transcript"]
    assert plan(config).new_files == 2


def test_labels_beside_the_recordings_and_long_ones_to_cut(tmp_path: Path) -> None:
    for k in range(3):
        soundfile.write(tmp_path / f"t{k}.wav", np.zeros(8000 * 70), 8000)
        (tmp_path / f"t{k}.txt").write_text("some words")
    found = inspect_source(str(tmp_path))
    assert [(f.transcripts, f.format, f.recordings) for f in found.labels] == [("*.txt", "txt", 3)]
    text = proposed(found)
    assert "segment: {method: speech}  # long recordings are cut at pauses; no label says where to cut" in text
    assert RunConfig.model_validate(yaml.safe_load(text)).segment.method == "speech"
    assert "# language: en" in text, "nothing says which language it is"
    assert RunConfig.model_validate(yaml.safe_load(text)).sources[0].transcripts == "*.txt"


def test_long_recordings_with_subtitles_are_cut_at_pauses_and_those_with_utterances_by_their_labels(
    tmp_path: Path,
) -> None:
    for name in ("shown", "listed", "neither", "short"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "talk.wav", np.zeros(8000 * (61 if name != "short" else 9)), 8000)
    cue = "1\n00:00:01,000 --> 00:00:03,000\nsome words\n"
    (tmp_path / "shown/talk.srt").write_text(cue)
    (tmp_path / "short/talk.srt").write_text(cue)
    (tmp_path / "listed/talks.tsv").write_text("file\ttranscript\tstart_s\tend_s\ntalk.wav\tsome words\t1\t3\n")
    texts = {name: proposed(inspect_source(str(tmp_path / name))) for name in ("shown", "listed", "neither", "short")}
    assert "segment: {method: speech}" in texts["shown"]
    assert "near its cue" in texts["shown"]
    assert "segment: {method: speech}" in texts["neither"]
    assert "segment" not in texts["listed"], "its spans are utterances already"
    assert "segment" not in texts["short"], "cues cut what is short enough to be one clip anyway"
    for text in texts.values():
        RunConfig.model_validate(yaml.safe_load(text))


def test_archives_and_tables_of_one_name_in_each_folder(tmp_path: Path) -> None:
    for k in range(2):
        write_corpus(tmp_path / "folders" / f"part{k}", 2, first=2 * k)
    found = inspect_source(str(tmp_path / "folders"))
    assert (found.labels[0].transcripts, found.labels[0].recordings) == ("**/transcripts.tsv", 4)
    data = write_clip(tmp_path / "x.wav", 5).read_bytes()
    (tmp_path / "packed").mkdir()
    for k in range(2):
        with tarfile.open(tmp_path / f"packed/{k:03d}.tar", "w") as archive:
            said = json.dumps({"text": "hello"}).encode()
            for name, content in (("x.wav", data), ("x.json", said), ("y.flac", b"")):
                item = tarfile.TarInfo(name)
                item.size = len(content)
                archive.addfile(item, io.BytesIO(content))
    found = inspect_source(str(tmp_path / "packed"))
    assert (found.files, found.archives) == (4, 2)
    assert [(f.transcripts, f.format, f.recordings) for f in found.labels] == [("*.json", "json", 2)]


def test_the_limit_is_said_and_an_absent_source_is_refused(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", 5)
    found = inspect_source(str(tmp_path / "in"), limit=3)
    assert (found.files, found.more) == (3, True)
    assert "3 or more recordings" in lines(found)[0]
    with pytest.raises(ConfigError, match="does not exist"):
        inspect_source(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no audio files") as refused:
        inspect_source(str(tmp_path / "empty"))
    assert "include" not in str(refused.value), "nobody wrote one"


def test_a_file_of_another_kind_is_refused_and_a_broken_one_among_others_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "read.py").write_text("print('hello')\n")
    with pytest.raises(ConfigError, match=r"read\.py is no audio, archive, list or table of labels .*not_audio"):
        inspect_source(str(tmp_path / "read.py"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/broken.wav").write_bytes(b"nonsense")
    assert inspect_source(str(tmp_path / "in")).problems == ["broken.wav: not_audio: Format not recognised"]
    assert inspect_source(str(write_clip(tmp_path / "in" / "whole.wav", 1))).opened == 1


def test_of_a_file_of_labels_alone_its_folder_is_inspected(tmp_path: Path) -> None:
    for k in range(2):
        write_clip(tmp_path / "lj" / "wavs" / f"LJ00{k}.wav", k)
    labels = tmp_path / "lj" / "metadata.csv"
    labels.write_text("LJ000|some words|some words\nLJ001|other words|other words\n")
    found = inspect_source(str(labels))
    assert (found.path, found.files) == (str(tmp_path / "lj"), 2)
    assert [(f.transcripts, f.recordings) for f in found.labels] == [("metadata.csv", 2)]
    assert any("metadata.csv does not say where recordings are" in notice for notice in found.notices)
    config = RunConfig.model_validate(yaml.safe_load(proposed(found)))
    assert (config.sources[0].path, config.sources[0].transcripts) == (str(tmp_path / "lj"), "metadata.csv")
    (tmp_path / "alone").mkdir()
    labels.rename(tmp_path / "alone" / "metadata.csv")
    with pytest.raises(ConfigError, match="inspect the folder that holds them"):
        inspect_source(str(tmp_path / "alone" / "metadata.csv"))


def test_labels_of_others_beside_an_archive_or_a_list_are_not_proposed(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "clips" / "x.wav", 5).read_bytes()
    with tarfile.open(tmp_path / "mine.tar", "w") as archive:
        for name, content in (("x.wav", data), ("x.txt", b"mine")):
            item = tarfile.TarInfo(name)
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
    (tmp_path / "other.tsv").write_text("file\ttranscript\nx.wav\ttheirs\nclips/x.wav\ttheirs\n")
    assert [found.transcripts for found in inspect_source(str(tmp_path / "mine.tar")).labels] == ["*.txt"]
    (tmp_path / "list.jsonl").write_text(json.dumps({"audio_filepath": "clips/x.wav", "text": "mine"}) + "\n")
    assert inspect_source(str(tmp_path / "list.jsonl")).labels[0].transcripts == "list.jsonl"


def test_recordings_that_only_other_labels_describe_are_counted_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the two sources that it asks for give them their texts."""
    cue = "00:00:00{0}100 --> 00:00:00{0}400\nsome words\n"
    for k in range(5):
        write_clip(tmp_path / "in" / f"t{k}.wav", k)
        if k < 3:
            (tmp_path / "in" / f"t{k}.srt").write_text("1\n" + cue.format(","))
        if k in (2, 3):
            (tmp_path / "in" / f"t{k}.vtt").write_text("WEBVTT\n\n" + cue.format("."))
    found = inspect_source(str(tmp_path / "in"))
    assert [(f.transcripts, f.recordings_with_text, f.adds) for f in found.labels] == [("*.srt", 3, 0), ("*.vtt", 2, 1)]
    (told,) = (line for line in lines(found) if "without text" in line)
    assert "*.srt leaves 2 of 5 recordings without text; *.vtt has text of 1 of these" in told
    sources = yaml.safe_load(proposed(found))["sources"] + yaml.safe_load(told.split("own: ")[1])
    named = [source | {"name": name} for source, name in zip(sources, ("first", "second"), strict=True)]
    without_ray(monkeypatch)
    version = run(cheap(tmp_path, tmp_path / "data", sources=named)).version
    clips = version.clips(["path", "transcript"]).to_pylist()
    texts = {row["path"] for row in clips if row["transcript"]}
    assert texts == {"t0.wav", "t1.wav", "t2.wav", "t3.wav"}


def test_labels_that_leave_nothing_without_text_are_not_remarked(tmp_path: Path) -> None:
    write_corpus(tmp_path / "in", 2)
    assert not any("without text" in line for line in lines(inspect_source(str(tmp_path / "in"))))


def test_a_line_of_a_recording_in_two_encodings_counts_once(tmp_path: Path) -> None:
    samples = np.zeros(8000)
    for name in ("a.flac", "b.flac", "b.wav"):
        soundfile.write(tmp_path / name, samples, 8000)
    (tmp_path / "metadata.csv").write_text("a|one|one\nb|two|two\nb|two|two\n")
    [labels] = inspect_source(str(tmp_path)).labels
    assert (labels.lines, labels.recordings, labels.with_text) == (3, 3, 3)


def test_labels_of_which_no_line_matches_are_named_with_a_name_on_either_side(tmp_path: Path) -> None:
    write_clip(tmp_path / "in" / "t0.wav", 0)
    (tmp_path / "in" / "words.tsv").write_text("file\ttranscript\n" + "".join(f"x{k}.wav\thello\n" for k in range(3)))
    found = inspect_source(str(tmp_path / "in"))
    assert found.labels == []
    (told,) = (line for line in lines(found) if line.startswith("  labels"))
    assert (
        "words.tsv (tsv): 0 of 3 lines match a recording: it names 'x0.wav', and a recording here is 't0.wav'" in told
    )
    assert "transcripts:" not in proposed(found)
