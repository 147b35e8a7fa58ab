"""The same bytes in several sources: which labels cut them is a function of what is there, whenever it arrived."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_clip
from inprocess import without_ray

from auricle.loaders import Version
from auricle.loaders.care.verify import verify
from auricle.pipelines.run import run
from auricle.schemas.config import RunConfig

Source = dict[str, Any]
WHOLE, SPAN = (0, 8000), (1600, 4800)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`plain` and `spans` hold one recording; the manifest of `spans` asks for 0.1 s to 0.3 s of it."""
    without_ray(monkeypatch)
    for name in ("plain", "spans", "others"):
        (tmp_path / name).mkdir()
    write_clip(tmp_path / "plain" / "x.wav", 1)
    shutil.copy(tmp_path / "plain" / "x.wav", tmp_path / "spans" / "x.wav")
    manifest(tmp_path / "spans", 0.1, 0.2)
    shutil.copytree(tmp_path / "spans", tmp_path / "others", dirs_exist_ok=True)
    manifest(tmp_path / "others", 0.2, 0.1)
    return tmp_path


def manifest(folder: Path, offset: float, duration: float) -> None:
    line = {"audio_filepath": "x.wav", "offset": offset, "duration": duration, "text": f"from {offset}"}
    (folder / "manifest.jsonl").write_text(json.dumps(line) + "\n")


def settings(root: Path, data: str, *names: str, **changes: Any) -> RunConfig:
    sources = [
        {"path": str(root / name), "name": name} | ({} if name == "plain" else {"transcripts": "manifest.jsonl"})
        for name in names
    ]
    return config(root, root / data, sources=sources, **changes)


def clips(version: Version) -> list[tuple[int, int, str | None]]:
    rows = version.clips(["start", "end", "transcript"]).to_pylist()
    return sorted((row["start"], row["end"], row["transcript"]) for row in rows)


@pytest.mark.parametrize("order", [("plain", "spans"), ("spans", "plain")])
@pytest.mark.parametrize("first", ["plain", "spans"])
def test_two_nights_cut_a_shared_recording_as_one_run_does_and_further_nights_leave_it(
    root: Path, order: tuple[str, str], first: str
) -> None:
    at_once = run(settings(root, "at once", *order)).version
    assert clips(at_once) == [(*SPAN, "from 0.1")]
    run(settings(root, "nights", first))
    nights = run(settings(root, "nights", *order)).version
    assert clips(nights) == clips(at_once)
    assert nights.document.counts.aliases == at_once.document.counts.aliases == 1
    for _ in range(2):
        assert run(settings(root, "nights", *order)).status == "unchanged"
    # another night's work leaves it, too
    write_clip(root / "plain" / "y.wav", 2)
    later = run(settings(root, "nights", *order)).version
    assert clips(later) == [(*WHOLE, None), (*SPAN, "from 0.1")]
    assert {stage.name: stage.done for stage in later.document.stages}["probe"] == 1
    assert verify(str(root / "nights")) == []


def test_of_two_manifests_that_of_the_source_listed_first_cuts(root: Path) -> None:
    assert clips(run(settings(root, "a", "plain", "spans", "others")).version) == [(*SPAN, "from 0.1")]
    run(settings(root, "b", "spans"))
    assert clips(run(settings(root, "b", "others", "spans")).version) == [(3200, 4800, "from 0.2")]
    assert clips(run(settings(root, "b", "spans", "others")).version) == [(*SPAN, "from 0.1")]
    assert run(settings(root, "b", "spans", "others")).status == "unchanged"


def test_a_manifest_that_goes_or_changes_cuts_anew(root: Path) -> None:
    run(settings(root, "data", "plain", "spans"))
    manifest(root / "spans", 0.2, 0.1)
    assert clips(run(settings(root, "data", "plain", "spans")).version) == [(3200, 4800, "from 0.2")]
    (root / "spans" / "x.wav").unlink()
    assert clips(run(settings(root, "data", "plain", "spans")).version) == [(*WHOLE, None)]
    assert run(settings(root, "data", "plain", "spans")).status == "unchanged"
