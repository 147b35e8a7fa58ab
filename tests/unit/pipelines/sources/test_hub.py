"""Datasets as `datasets` streams them, here from folders on this disk: the same clips as loose files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from corpus import config, write_clip
from inprocess import without_ray

from auricle.loaders import Version
from auricle.loaders.care.verify import verify
from auricle.pipelines.audio.listen import clip_audio
from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.schemas.config import RunConfig
from auricle.schemas.errors import ConfigError

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_ray(monkeypatch)
    datasets.disable_progress_bars()


@pytest.fixture
def audio(tmp_path: Path) -> dict[str, bytes]:
    return {f"{n}.wav": write_clip(tmp_path / "loose" / f"{n}.wav", n).read_bytes() for n in range(5)}


def settings(tmp_path: Path, source: str | Path, **options: Any) -> RunConfig:
    name = str(source).rpartition("/")[2]
    return config(tmp_path, tmp_path / f"{name} data", sources=[{"path": str(source), "name": "s"} | options])


def clips(version: Version) -> dict[str, tuple[Any, ...]]:
    rows = version.clips(["clip", "status", "transcript", "speaker", "loudness", "path"]).to_pylist()
    return {row["clip"]: (row["status"], row["transcript"], row["loudness"]) for row in rows}


def parquet(folder: Path, audio: dict[str, bytes]) -> None:
    """Two shards, one of them with a row without audio; the language is a class label."""
    kinds = {
        "audio": datasets.Audio(decode=False),
        "sentence": datasets.Value("string"),
        "lang": datasets.ClassLabel(names=["de", "en"]),
    }
    features = datasets.Features(kinds)
    rows = [({"bytes": data, "path": name}, f"words of {name}", 1) for name, data in audio.items()]
    rows.append(({"bytes": None, "path": None}, "silence", 1))
    (folder / "data").mkdir(parents=True)
    for number, chosen in enumerate((rows[:3], rows[3:])):
        columns = dict(zip(kinds, map(list, zip(*chosen, strict=True)), strict=True))
        held = datasets.table.InMemoryTable(pa.table(columns, schema=features.arrow_schema))
        made = datasets.Dataset(held, info=datasets.DatasetInfo(features=features))
        made.to_parquet(str(folder / "data" / f"train-{number:05d}-of-00002.parquet"))


def test_a_streamed_dataset_gives_the_clips_of_its_files(tmp_path: Path, audio: dict[str, bytes]) -> None:
    loose = run(settings(tmp_path, tmp_path / "loose")).version
    parquet(tmp_path / "hub", audio)
    given = settings(tmp_path, f"hf://{tmp_path}/hub", carry=["lang"], require={"lang": "en"})
    version = run(given).version
    assert {clip: facts[::2] for clip, facts in clips(version).items()} == {c: f[::2] for c, f in clips(loose).items()}
    rows = sorted(version.clips().to_pylist(), key=lambda row: row["path"])
    assert [(row["path"], row["transcript"], row["language"]) for row in rows] == [
        (f"train/{n}.wav", f"words of {n}.wav", "en") for n in range(5)
    ]
    assert run(given).status == "unchanged"
    assert verify(given.dataset) == []
    waveform, _ = clip_audio(version, rows[4])
    assert len(waveform) == rows[4]["end"]
    assert plan(settings(tmp_path, f"hf://{tmp_path}/hub", include=["test/**"])).new_files == 0


def test_a_folder_of_files_gives_paths_and_those_are_opened(tmp_path: Path, audio: dict[str, bytes]) -> None:
    loose = run(settings(tmp_path, tmp_path / "loose")).version
    (tmp_path / "folder").mkdir()
    for name, data in audio.items():
        (tmp_path / "folder" / name).write_bytes(data)
    lines = "".join(f"{name},words of {name}\n" for name in audio)
    (tmp_path / "folder" / "metadata.csv").write_text(f"file_name,text\n{lines}")
    version = run(settings(tmp_path, f"hf://{tmp_path}/folder")).version
    assert set(clips(version)) == set(clips(loose))
    assert {row["transcript"] for row in version.clips().to_pylist()} == {f"words of {name}" for name in audio}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("hf://{}/none", "there is no folder"),
        ("hf://datasets/name", "hf://datasets/<owner>/<name> is required"),
        ("hf://{}/text", "is audio"),
    ],
)
def test_what_is_no_dataset_with_audio_is_refused(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match=message):
        plan(settings(tmp_path, path.format(tmp_path)))
