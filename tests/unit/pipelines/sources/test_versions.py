"""A version of a dataset as a source: its kept clips, with its labels and decisions."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_clip
from inprocess import without_ray

from auricle.loaders import Version
from auricle.loaders.care.verify import verify
from auricle.pipelines.run import run
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.config import RunConfig


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)


@pytest.fixture
def first(tmp_path: Path) -> Version:
    """Spans, a stereo recording of which one channel is kept, a member of a tar, and one clip that is dropped."""
    audio = tmp_path / "audio"
    for seed in range(3):
        write_clip(audio / f"{seed}.wav", seed, seconds=2)
    write_clip(audio / "two.wav", 7, channels=2)
    with tarfile.open(audio / "more.tar", "w") as tar:
        tar.add(write_clip(tmp_path / "3.wav", 3), "3.wav")
    (audio / "t.tsv").write_text(
        "file\tstart\tend\tchannel\ttext\tlicence\n"
        "0.wav\t0.25\t0.8\t\tone\tcc0\n0.wav\t0.8\t1.5\t\ttwo\tcc0\n1.wav\t\t\t\tthree\tcc-by\n"
        "2.wav\t\t\t\tfour\tnone\ntwo.wav\t\t\t1\tfive\tcc0\nmore.tar/3.wav\t\t\t\tsix\tcc0\n"
    )
    source = {"path": str(audio), "name": "own", "transcripts": "t.tsv", "carry": ["licence"]}
    source["require"] = {"licence": ["cc0", "cc-by"]}
    tiers = [{"name": "gold", "when": [{"score": "loudness_db", "min": -60}]}]
    return run(config(audio, tmp_path / "first", sources=[source], tiers=tiers)).version


def settings(tmp_path: Path, *more: dict[str, Any], **options: Any) -> RunConfig:
    source = {"path": f"auricle://{tmp_path}/first@1", "name": "v"} | options
    return config(tmp_path, tmp_path / "second", sources=[source, *more], segment={"method": "fixed", "max_s": 0.1})


def kept(version: Version) -> dict[str, tuple[Any, ...]]:
    columns = ["clip", "status", "transcript", "channel", "words", "loudness"]
    return {
        row["clip"]: (row["transcript"], row["channel"], row["words"], row["loudness"])
        for row in version.clips(columns).to_pylist()
        if row["status"] == "kept"
    }


def test_the_kept_clips_of_a_version_are_the_clips_of_the_next_dataset(tmp_path: Path, first: Version) -> None:
    assert first.document.counts.kept == 5
    given = settings(tmp_path, carry=["tier", "licence", "loudness_db"], require={"tier": "gold"})
    version = run(given).version
    assert kept(version) == kept(first)
    name = "cheap-codes-100hz"
    arrays = [{s.key: s.array.tobytes() for s in found.samples(name)} for found in (first, version)]
    assert arrays[0] == arrays[1]
    row = next(row for row in version.clips().to_pylist() if row["transcript"] == "six")
    assert row["carried"] == {"tier": "gold", "licence": "cc0", "loudness_db": str(row["loudness"]["loudness_db"])}
    assert row["path"] == f"{tmp_path}/audio/more.tar/3.wav"
    assert version.document.dropped_by_reason == {"not_in_version": 1, "requires_tier": 1}
    assert run(given).status == "unchanged"
    assert verify(str(tmp_path / "second")) == []
    source = {"path": f"auricle://{tmp_path}/second", "name": "w"}
    assert kept(run(config(tmp_path, tmp_path / "third", sources=[source])).version) == kept(first)


def test_labels_are_not_given_to_other_bytes_and_another_source_may_have_the_rest(
    tmp_path: Path, first: Version
) -> None:
    shutil.copy(write_clip(tmp_path / "other.wav", 99, seconds=2), tmp_path / "audio" / "1.wav")
    version = run(settings(tmp_path)).version
    assert set(kept(version)) < set(kept(first))
    assert len(kept(version)) == 4
    assert version.document.dropped_by_reason == {"not_in_version": 2}
    folder = {"path": str(tmp_path / "audio"), "name": "all", "include": ["two.wav"]}
    both = run(settings(tmp_path, folder)).version
    assert both.document.dropped_by_reason == {"not_in_version": 1}


def test_what_was_redacted_is_left_out(tmp_path: Path, first: Version) -> None:
    takedown(str(tmp_path / "first"), where="path = '1.wav'", redact=True)
    source = {"path": f"auricle://{tmp_path}/first", "name": "v"}
    version = run(config(tmp_path, tmp_path / "second", sources=[source])).version
    assert {text for text, *_ in kept(version).values()} == {"one", "two", "five", "six"}
