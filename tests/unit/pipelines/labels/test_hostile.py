"""Whatever is in a label file: rows that can be used, and a count of the rest; never an exception of ours."""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from label_reading import read, source, texts, write

from auricle.pipelines.labels.formats import LabelFormat, Options
from auricle.pipelines.labels.place import Place
from auricle.pipelines.labels.registry import BUILT_IN
from auricle.pipelines.labels.rows import LONGEST_S, Unusable
from auricle.schemas.errors import ConfigError

SEEDS = {
    "kaldi": ["u1 r1 0 1", "r1 a.wav", "u1 r1 nan -1", "r1 cmd |"],
    "ctm": ["talk 1 0.1 0.3 hello", "talk A -1 nan x"],
    "stm": ["talk 1 ann 0 2 <o> words", "talk B x 9 1"],
    "rttm": ["SPEAKER talk 1 0.5 1 <NA> <NA> ann <NA> <NA>", "SPEAKER t 0 x"],
    "srt": ["1", "00:00:01,000 --> 00:00:02,000", "text", "", "99:99:99 --> 1:2"],
    "vtt": ["WEBVTT", "00:01.000 --> 00:02.000 align:start", "<v A>hi</v>", "", "NOTE x", " "],
    "ttml": [
        '<tt xmlns="http://www.w3.org/ns/ttml"><body>',
        '<p begin="1s" end="2s">x</p>',
        "</body></tt>",
        "<p>",
        "&#x0;",
    ],
    "textgrid": [
        '"ooTextFile" "TextGrid"',
        "0 2 <exists> 1",
        '"IntervalTier" "a" 0 2 1',
        '0 1 "x"',
        "1e999",
        "--undefined--",
    ],
    "lhotse": [
        '{"id": "a", "start": 0, "duration": 1, "supervisions": [{"start": NaN}], "recording": {"sources": []}}',
        '{"id": "a", "recording_id": "r", "start": "x"}',
        '{"id": 1, "sources": 3}',
    ],
    "moshi": ['{"path": "a.wav", "duration": 1}', '{"path": 3, "duration": {}}'],
    "json": [
        '{"segments": [{"start": 0, "end": 1, "text": "x"}, 3]}',
        '{"alignments": [["a", [0, 1], "S"], [1]]}',
        "[1, {}]",
    ],
    "nemo": ['{"audio_filepath": "a.wav", "offset": 1e999, "duration": -0.0}', '{"audio_filepath": ["a"]}'],
    "jsonl": ['{"file_name": "a.wav", "text": {"a": 1}}', '{"file": true}'],
    "common_voice": ["client_id\tpath\tsentence", 'a\tb.mp3\t"x'],
    "tsv": ["file\ttext\tstart\tend", "a.wav\tx\t0\tinf"],
    "csv": ["file,text,channel", 'a.wav,"x', "a.wav,y,-3"],
    "ljspeech": ["a|b|c", "|||"],
}
CHARACTERS = st.text(alphabet=st.characters(codec=None, categories=None), max_size=20)


@pytest.mark.parametrize("kind", [f for f in BUILT_IN if f.name != "parquet"], ids=lambda f: f.name)
def test_no_bytes_end_a_parser(kind: LabelFormat) -> None:
    pieces = st.sampled_from(SEEDS.get(kind.name, ["a b", "x"])).map(str.encode)
    junk = st.one_of(st.binary(max_size=20), CHARACTERS.map(lambda t: t.encode(errors="surrogatepass")))
    content = st.lists(st.one_of(pieces, pieces, junk), max_size=8).map(b"\n".join)

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, {"a.wav": b"x", "d/a.wav": b"x"})

        @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(content, content)
        def parsed(first: bytes, second: bytes) -> None:
            name = "d" if kind.name == "kaldi" else "d/labels.x"
            write(root, {"d/labels.x": first, "d/wav.scp": first, "d/segments": second, "d/text": second})
            place = Place(str(root), "s", lambda: ["a.wav", "d/a.wav"])
            try:
                found = list(kind.rows(place, name, Options(carry=("gender",))))
            except ConfigError:
                # a table as a whole, refused before anything is done
                return
            for row in found:
                if isinstance(row, Unusable):
                    assert row.why
                    continue
                assert row["path"] or row["reference"] or row["path"] is None
                for key in ("start_s", "duration_s"):
                    value = row[key]
                    assert value is None or (math.isfinite(value) and 0 <= value <= 2 * LONGEST_S)
                if row["path"]:
                    assert not row["path"].startswith("/")
                    assert ".." not in row["path"].split("/")
                (row["transcript"] or "").encode()

        parsed()


def test_lines_of_a_megabyte_and_control_characters_are_rows(tmp_path: Path) -> None:
    long = "word " * 250_000
    write(
        tmp_path,
        {"a.wav": b"x", "b.wav": b"x", "t.tsv": f"file\ttext\na.wav\t{long}\nb.wav\tbell \x07 \x00and \x1b[31m\n"},
    )
    found = dict(texts(source(tmp_path, transcripts="t.tsv")))
    assert len(found["a.wav"] or "") == len(long) - 1
    assert found["b.wav"] == "bell \x07 and \x1b[31m"
    write(tmp_path, {"m.jsonl": json.dumps({"audio_filepath": "a.wav", "text": long}) + "\n" + "[" * 1_000_000 + "\n"})
    rows, notices = read(source(tmp_path, transcripts="m.jsonl"))
    assert len(rows) == 1
    assert "1: it is not JSON (line 2" in notices[0]
    assert len(notices[0]) < 300, "a notice does not repeat the line"


def test_names_in_broken_encodings_are_counted_or_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"a.wav": b"x", "t.tsv": b"file\ttext\n\xff\xfe.wav\tx\na.wav\tcaf\xe9\n"})
    (tmp_path / os.fsdecode(b"\xff.txt")).write_bytes(b"x")
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    assert dict(texts(source(tmp_path, transcripts="t.tsv")))["a.wav"] == "caf\ufffd"
    assert texts(source(tmp_path, transcripts="*.txt")) == [("a.wav", "caf\ufffd")]
    write(tmp_path, {"m.jsonl": '{"audio_filepath": "\\ud800.wav"}\n{"audio_filepath": "a.wav", "text": "\\ud800x"}\n'})
    rows, notices = read(source(tmp_path, transcripts="m.jsonl"))
    assert [(r["path"], r["transcript"]) for r in rows] == [("a.wav", "?x")]
    assert "1: its recording's name is no UTF-8" in notices[0]
