"""Formats by name, recognised, and of other packages."""

from __future__ import annotations

from pathlib import Path

import pytest
from label_reading import read, source, spans, write

from auricle.pipelines.labels.registry import BUILT_IN
from auricle.schemas.errors import ConfigError

ROOT = Path(__file__).resolve().parents[4]


def test_another_package_adds_a_format_and_it_is_the_one_in_the_docs(tmp_path: Path) -> None:
    write(tmp_path, {"t.marks": "a.wav@1.5-3.0: hello\nnothing\na.wav@2-1: back\n", "a.wav": b"x"})
    assert spans(source(tmp_path, transcripts="t.marks")) == [("a.wav", 1.5, 3.0, "hello")]
    _, notices = read(source(tmp_path, transcripts="t.marks", labels={"format": "marks"}))
    assert "2 lines of t.marks cannot be used" in notices[0]
    example = (ROOT / "docs" / "labels.md").read_text().split("```python\n")[1].split("```")[0]
    assert example == (ROOT / "tests" / "plugins" / "label_marks.py").read_text()
    assert len([line for line in example.splitlines() if line.strip()]) <= 30


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_label_file_without_a_line_labels_nothing(tmp_path: Path, name: str, content: str) -> None:
    write(tmp_path, {name: content, "a.wav": b"x"})
    assert spans(source(tmp_path, transcripts=name)) == []


def test_every_format_is_in_the_docs() -> None:
    table = (ROOT / "docs" / "labels.md").read_text()
    assert [f.name for f in BUILT_IN if f"`{f.name}`" not in table] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transcripts": "t.xyz"}, "is in no form that is known"),
        (
            {"transcripts": "t.xyz", "labels": {"format": "nonsense"}},
            "no label format 'nonsense'; formats: common_voice",
        ),
        ({"transcripts": "absent.tsv"}, "cannot be read"),
        ({"transcripts": "absent/*.srt"}, "no file under"),
        ({"transcripts": "*.pdf"}, "no label format has files that end with '.pdf'"),
        ({"transcripts": "m__OP_9..1_CL_.json"}, "no range"),
        ({"labels": {"columns": {"file": "x"}}}, "needs `transcripts`"),
    ],
)
def test_labels_that_cannot_be_used_are_refused_with_what_to_do(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    write(tmp_path, {"t.xyz": b"\x00\x01\xff" * 100})
    with pytest.raises(ConfigError, match=message):
        read(source(tmp_path, **options))


def test_columns_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`carry` takes other columns along"):
        source(tmp_path, transcripts="t.tsv", labels={"columns": {"gender": "x"}})
