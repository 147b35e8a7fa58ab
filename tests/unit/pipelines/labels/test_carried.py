"""Columns and words of the labels that go along to the clip table, and go when a recording is redacted."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import config, write_clip
from inprocess import without_ray

from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.pipelines.run import run
from auricle.pipelines.upkeep.takedown import takedown

DATA = Path(__file__).resolve().parents[5] / "shared" / "data" / "reports"


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)


def test_carried_columns_are_in_the_clip_table_until_they_are_not_asked_for(tmp_path: Path) -> None:
    audio, data = tmp_path / "audio", tmp_path / "data"
    write_clip(audio / "a.wav", 1)
    write_clip(audio / "b.wav", 2)
    (audio / "t.tsv").write_text("path\ttext\tgender\tMy 'licence'\na.wav\thi\tfemale\tcc0\nb.wav\tho\t\tcc-by\n")
    source = {"path": str(audio), "name": "s", "transcripts": "t.tsv"}
    given = config(audio, data, sources=[source | {"carry": ["gender", "My 'licence'", "age"]}])
    version = run(given).version
    rows = {row["path"]: row["carried"] for row in version.clips(["path", "carried"]).to_pylist()}
    assert rows == {
        "a.wav": {"My 'licence'": "cc0", "age": None, "gender": "female"},
        "b.wav": {"My 'licence'": "cc-by", "age": None, "gender": None},
    }
    sample = next(version.samples("cheap-codes"))
    assert sample.clip["carried"]["My 'licence'"] in ("cc0", "cc-by")
    assert verify(str(data)) == []
    assert run(given).status == "unchanged"
    takedown(str(data), where="path = 'a.wav'", redact=True)
    redacted = open_version(str(data)).clips(["path", "carried"]).to_pylist()
    assert {row["path"]: row["carried"] is None for row in redacted} == {None: True, "b.wav": False}
    without = run(config(audio, data, sources=[source])).version
    assert "carried" not in without.clips().column_names


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data beside the checkout")
def test_the_reported_moshi_list_gives_words_with_times_to_the_left_channel(tmp_path: Path) -> None:
    source = {"path": str(DATA / "moshi_finetune"), "name": "moshi", "transcripts": "data.jsonl"}
    version = run(config(DATA, tmp_path / "data", sources=[source])).version
    rows = sorted(version.clips().to_pylist(), key=lambda row: row["channel"])
    assert len({row["group"] for row in rows}) == 1
    assert [row["transcript"] for row in rows] == ["hello there", None]
    assert rows[0]["label_words"] == [
        {"word": "hello", "start_s": 0.5, "end_s": 0.9},
        {"word": "there", "start_s": 0.9, "end_s": 1.3},
    ]
    assert rows[1]["label_words"] is None


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data beside the checkout")
@pytest.mark.parametrize(
    ("folder", "file", "texts", "speakers"),
    [
        (
            "common_voice",
            "validated.tsv",
            ['"Hello," he said', '"An unclosed quote', "Plain one"],
            ["01", "02", "03"],
        ),
        ("hf_audiofolder", "metadata.csv", ["Hello, he said", "second"], [None, None]),
        ("ljspeech", "metadata.csv", ["Raw text normalised", "Second norm"], [None, None]),
    ],
)
def test_reported_label_files_are_read_as_they_come(
    tmp_path: Path, folder: str, file: str, texts: list[str], speakers: list[str | None]
) -> None:
    source = {"path": str(DATA / folder), "name": folder, "transcripts": file}
    version = run(config(DATA, tmp_path / "data", sources=[source])).version
    rows = sorted(version.clips().to_pylist(), key=lambda row: row["path"])
    assert [row["transcript"] for row in rows] == texts
    assert [row["speaker"] for row in rows] == speakers
