"""Sources of other packages, found by their entry point."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from corpus import config, write_clip
from inprocess import without_ray

from auricle.loaders import Version
from auricle.loaders.care.verify import verify
from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.schemas.config import RunConfig
from auricle.schemas.errors import ConfigError

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)


def settings(source: str, data: Path, **options: object) -> RunConfig:
    return config(Path("."), data, sources=[{"path": source, "name": "s"} | options])


def said(version: Version) -> dict[str, tuple[str, str, str]]:
    rows = version.clips(["clip", "path", "status", "transcript"]).to_pylist()
    return {row["path"]: (row["clip"], row["status"], row["transcript"]) for row in rows}


def test_another_package_adds_a_kind_of_source_and_it_is_the_one_in_the_docs(tmp_path: Path) -> None:
    example = (ROOT / "docs" / "sources.md").read_text().split("```python\n")[1].split("```")[0]
    assert example == (ROOT / "tests" / "plugins" / "source_rows.py").read_text()
    assert len([line for line in example.splitlines() if line.strip()]) <= 30
    files = {f"{n}.wav": write_clip(tmp_path / "audio" / f"{n}.wav", n).read_bytes() for n in range(3)}
    with sqlite3.connect(tmp_path / "calls.db") as db:
        db.execute("CREATE TABLE calls (name TEXT, audio BLOB, said TEXT, changed TEXT)")
        db.executemany("INSERT INTO calls VALUES (?, ?, 'words of ' || ?1, 'monday')", files.items())
    given = settings(f"rows://{tmp_path}/calls.db", tmp_path / "data")
    assert plan(given).new_files == 3
    version = run(given).version
    loose = said(run(settings(str(tmp_path / "audio"), tmp_path / "loose")).version)
    assert {path: clip for path, (clip, *_) in said(version).items()} == {p: clip for p, (clip, *_) in loose.items()}
    assert said(version)["1.wav"][1:] == ("kept", "words of 1.wav")
    assert run(given).status == "unchanged"
    with sqlite3.connect(tmp_path / "calls.db") as db:
        db.execute("UPDATE calls SET audio = ?, changed = 'tuesday' WHERE name = '2.wav'", [files["0.wav"]])
        db.execute("DELETE FROM calls WHERE name = '0.wav'")
    changed = run(given).version
    assert {stage.name: stage.done for stage in changed.document.stages}["probe"] == 1
    assert said(changed)["2.wav"][0] == loose["0.wav"][0]
    assert verify(str(tmp_path / "data")) == []
    db.close()


def test_what_is_gone_or_cannot_be_had_now_fails_for_the_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import source_rows

    from auricle.pipelines.labels.rows import Unusable
    from auricle.pipelines.sources import kinds

    def recordings(path: str):
        yield from (kinds.Recording("gone.wav", 1), kinds.Recording("busy.wav", 1), Unusable("is no call", "row 3"))

    def read(uri: str):
        raise FileNotFoundError(uri) if "gone" in uri else TimeoutError("the line is busy")

    kind = kinds.SourceKind("rows", "", recordings, read)
    monkeypatch.setattr(source_rows, "KIND", kind)
    kinds._loaded.cache_clear()
    try:
        version = run(settings("rows://x", tmp_path / "data")).version
    finally:
        monkeypatch.undo()
        kinds._loaded.cache_clear()
    assert version.document.failed_by_reason == {"missing": 1, "storage": 1}


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("nonsense://x", {}, "no kind of source is called 'nonsense'; there are auricle, az, broken, file, gs, hf"),
        ("broken://x", {}, "source kind 'broken' .* cannot be imported"),
        ("rows://x", {"transcripts": "t.tsv"}, "leave `transcripts` out"),
        ("auricle:///nowhere@7", {}, "no dataset at"),
    ],
)
def test_kinds_that_cannot_be_used_are_refused_with_what_to_do(
    tmp_path: Path, path: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(settings(path, tmp_path / "data", **options))
