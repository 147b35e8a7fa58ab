"""Tables with a row per recording or span: columns by any usual name, nothing believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from label_reading import read, source, spans, texts, write

from auricle.pipelines.score_files import read_table
from auricle.schemas.errors import ConfigError
from auricle.schemas.source_config import Source


def labels(given: Source) -> tuple[dict[str, dict[str, object]], list[str]]:
    rows, notices = read(given)
    return {str(row["path"]): row for row in rows}, notices


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
    assert "1 line of t.tsv" in notices[0]
    loose = read_table(tmp_path / "t.tsv", [tmp_path / "a.wav", tmp_path / "c.wav"])
    assert len(str(loose[tmp_path.resolve() / "a.wav"].transcript)) == 299_999
    assert tmp_path.resolve() / "c.wav" in loose


def test_a_label_may_be_of_one_channel(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text(
        "file\tchannel\tspeaker\ttranscript\na.wav\t0\tann\thello\na.wav\t1\tbob\thi\nb.wav\t\tcy\tboth\nc.wav\t-1\t\tno\n"
    )
    (tmp_path / "m.jsonl").write_text(
        '{"audio_filepath": "a.wav", "text": "hello", "channel": 1}\n{"audio_filepath": "b.wav", "channel": "left"}\n'
    )
    rows, notices = read(source(tmp_path, transcripts="t.tsv"))
    assert [(row["path"], row["channel"]) for row in rows] == [
        ("a.wav", 0),
        ("a.wav", 1),
        ("b.wav", None),
    ]
    assert "1 line of t.tsv" in notices[0]
    rows, notices = read(source(tmp_path, transcripts="m.jsonl"))
    assert [row["channel"] for row in rows] == [1]
    assert "1 line of m.jsonl" in notices[0]


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
    assert list(found) == ["84-121-0002", "84/121/84-121-0001.flac"]
    assert found["84/121/84-121-0001.flac"]["speaker"] == "84"


@pytest.mark.parametrize("name", ["absent.tsv", "t.xlsx", "no_header.tsv"])
def test_labels_that_cannot_be_used_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "t.xlsx").write_bytes(b"x")
    (tmp_path / "no_header.tsv").write_text("a.wav\thello\n")
    with pytest.raises(ConfigError, match=name.replace(".", r"\.")):
        labels(source(tmp_path, transcripts=name))


def test_common_voice_is_read_as_it_comes(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "validated.tsv": (
                "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes\tdown_votes\tage\tgender\taccents\t"
                "variant\tlocale\tsegment\n"
                '8f\tcommon_voice_en_1.mp3\ts1\t"Hello," he said\t\t2\t0\ttwenties\tfemale_feminine\t\t\ten\t\n'
                '9a\tcommon_voice_en_2.mp3\ts2\t"An unclosed quote\t\t2\t0\t\t\t\t\ten\t\n'
            ),
            "clips/common_voice_en_1.mp3": b"x",
            "clips/common_voice_en_2.mp3": b"x",
        },
    )
    rows, notices = read(source(tmp_path, transcripts="validated.tsv", carry=["gender", "age"]))
    assert notices == []
    assert [(r["path"], r["transcript"], r["speaker"], r["language"]) for r in rows] == [
        ("clips/common_voice_en_1.mp3", '"Hello," he said', "8f", "en"),
        ("clips/common_voice_en_2.mp3", '"An unclosed quote', "9a", "en"),
    ]
    assert dict(rows[0]["carried"]) == {"gender": "female_feminine", "age": "twenties"}


def test_hugging_face_folders_are_read_in_all_three_forms(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"file_name": "data/1.wav", "transcription": "Hello, he said"},
        {"file_name": "data/2.wav", "transcription": "b"},
    ]
    lines = "\n".join(map(json.dumps, rows))
    write(tmp_path, {"data/1.wav": b"x", "data/2.wav": b"x", "metadata.jsonl": lines})
    write(tmp_path, {"metadata.csv": 'file_name,transcription\ndata/1.wav,"Hello, he said"\ndata/2.wav,b\n'})
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "metadata.parquet")
    for name in ("metadata.csv", "metadata.jsonl", "metadata.parquet"):
        assert texts(source(tmp_path, transcripts=name)) == [("data/1.wav", "Hello, he said"), ("data/2.wav", "b")], (
            name
        )


def test_ljspeech_has_no_header_and_its_last_column_is_taken(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "metadata.csv": 'LJ001-0001|In 1455|in fourteen fifty-five\nLJ001-0002|a "b|a b\n',
            "wavs/LJ001-0001.wav": b"x",
        },
    )
    assert texts(source(tmp_path, transcripts="metadata.csv")) == [
        ("LJ001-0002", "a b"),
        ("wavs/LJ001-0001.wav", "in fourteen fifty-five"),
    ]
    raw = source(tmp_path, transcripts="metadata.csv", labels={"columns": {"file": "1", "transcript": "2"}})
    assert texts(raw)[1] == ("wavs/LJ001-0001.wav", "In 1455")
    write(tmp_path, {"train.txt": "wavs/LJ001-0001.wav|7|hello there\n"})
    rows, _ = read(source(tmp_path, transcripts="train.txt"))
    assert (rows[0]["path"], rows[0]["speaker"], rows[0]["transcript"]) == ("wavs/LJ001-0001.wav", "7", "hello there")


def test_nemo_manifests_may_be_many_files(tmp_path: Path) -> None:
    for i in range(3):
        line = {"audio_filepath": f"{i}.wav", "text": f"text {i}", "lang": "de", "duration": 2.5, "offset": 1}
        write(
            tmp_path,
            {f"{i}.wav": b"x", f"sharded/manifest_{i}.json": json.dumps(line | {"audio_filepath": f"../{i}.wav"})},
        )
    for name in ("sharded/manifest__OP_0..2_CL_.json", "sharded/manifest_*.json", "sharded/manifest_{0..2}.json"):
        given = source(tmp_path, transcripts=name.replace("manifest__OP_", "manifest__OP_"))
        found = spans(given)
        assert found == [(f"{i}.wav", 1.0, 3.5, f"text {i}") for i in range(3)], name


def test_a_table_without_a_column_it_needs_says_what_would_map_it(tmp_path: Path) -> None:
    write(tmp_path, {"t.csv": "utt,words spoken,who\nclips/1.wav,hello there,ann\n", "clips/1.wav": b"x"})
    with pytest.raises(ConfigError) as refused:
        read(source(tmp_path, transcripts="t.csv"))
    message = str(refused.value)
    for looked_for in ("Common Voice", "file_name", "audio_filepath", "utt, words spoken, who"):
        assert looked_for in message
    line = 'labels: {columns: {file: "utt", transcript: "words spoken"}}'
    assert line in message
    import yaml

    given = yaml.safe_load(line) | {"transcripts": "t.csv"}
    assert texts(source(tmp_path, **given)) == [("clips/1.wav", "hello there")]


def test_columns_of_the_configuration_come_before_the_usual_names(tmp_path: Path) -> None:
    write(tmp_path, {"t.tsv": "path\ttext\tnormalised\nclips/1.wav\tNo. 5\tnumber five\n", "clips/1.wav": b"x"})
    assert texts(source(tmp_path, transcripts="t.tsv")) == [("clips/1.wav", "No. 5")]
    assert texts(source(tmp_path, transcripts="t.tsv", labels={"columns": {"transcript": "normalised"}})) == [
        ("clips/1.wav", "number five")
    ]


def test_a_table_may_hold_spans_by_start_and_end(tmp_path: Path) -> None:
    write(
        tmp_path, {"t.csv": "file,start,end,text\na.wav,0.5,1.5,one\na.wav,2,1,backwards\na.wav,,,all\n", "a.wav": b"x"}
    )
    rows, notices = read(source(tmp_path, transcripts="t.csv"))
    assert [(r["start_s"], r["duration_s"], r["transcript"]) for r in rows] == [(None, None, "all"), (0.5, 1.0, "one")]
    assert "1: it ends where it starts, or before (line 3" in notices[0]


def test_a_name_that_fits_two_recordings_is_given_to_neither_and_one_with_two_endings_to_both(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "metadata.csv": "0001|one\n0002|two\n0003|three\n",
            "ann/0001.wav": b"x",
            "bob/0001.wav": b"x",
            "ann/0002.wav": b"x",
            "ann/0002.mp3": b"x",
            "ann/metadata.csv": "0003|hers\n",
            "ann/0003.wav": b"x",
            "bob/0003.wav": b"x",
        },
    )
    rows, notices = read(source(tmp_path, transcripts="metadata.csv"))
    assert [(r["path"], r["transcript"]) for r in rows if "/" in r["path"]] == [
        ("ann/0002.mp3", "two"),
        ("ann/0002.wav", "two"),
    ]
    assert "2 names fit several, for example 0001" in notices
    rows, _ = read(source(tmp_path, transcripts="ann/metadata.csv"))
    assert [(r["path"], r["transcript"]) for r in rows] == [("ann/0003.wav", "hers")], "its own folder comes first"


def test_score_takes_any_label_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "labels/metadata.csv": "a|hello\n",
            "audio/a.wav": b"x",
            "audio/b.wav": b"x",
            "t.csv": "path,text\naudio/b.wav,hi\n",
        },
    )
    files = [tmp_path / "audio" / "a.wav", tmp_path / "audio" / "b.wav"]
    assert {
        path.name: label.transcript for path, label in read_table(tmp_path / "labels/metadata.csv", files).items()
    } == {"a.wav": "hello"}
    assert {path.name: label.transcript for path, label in read_table(tmp_path / "t.csv", files).items()} == {
        "b.wav": "hi"
    }


def test_a_language_is_written_in_one_way_wherever_it_comes_from(tmp_path: Path) -> None:
    assert Source(path=str(tmp_path), language="en-GB").language == "en"
    (tmp_path / "t.tsv").write_text("file\tlanguage\na.wav\ten-GB\nb.wav\tEN_us\n")
    found, _ = labels(source(tmp_path, transcripts="t.tsv"))
    assert {row["language"] for row in found.values()} == {"en"}
    assert {label.language for label in read_table(tmp_path / "t.tsv", [tmp_path / "a.wav"]).values()} == {"en"}


def test_loose_scoring_takes_the_columns_that_a_table_has_in_any_letters(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("File\t Transcript\na.wav\tone two\n")
    assert read_table(tmp_path / "t.tsv", [tmp_path / "a.wav"])[tmp_path / "a.wav"].transcript == "one two"
    (tmp_path / "t.tsv").write_text("name\twords\na.wav\tone two\n")
    with pytest.raises(ConfigError, match="has the columns name, words; one that names the recording"):
        read_table(tmp_path / "t.tsv", [tmp_path / "a.wav"])
