"""Licence and consent go along with each clip, and a clip without the one that its source requires is dropped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_clip
from inprocess import without_ray

from auricle.dashboards.drawing.profile import profile
from auricle.loaders import Version, open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.copies.export import export
from auricle.loaders.copies.pull import pull
from auricle.loaders.storage.shards import read_facts
from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.pipelines.upkeep.rollback import rollback
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.config import RunConfig
from auricle.schemas.errors import ConfigError

LICENCES = {"a": "CC0-1.0", "b": "cc-by 4.0", "c": "cc-by-nc-4.0", "d": "", "e": "CC0"}
REQUIRED = {"carry": ["licence", "age"], "require": {"licence": ["cc0", "cc-by"]}}


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    for seed, name in enumerate(LICENCES):
        write_clip(tmp_path / "audio" / f"{name}.wav", seed)
    write_table(tmp_path / "audio", LICENCES)
    return tmp_path / "audio"


def write_table(audio: Path, licences: dict[str, str]) -> None:
    lines = [f"{name}.wav\twords of {name}\t{licence}\t4{n}" for n, (name, licence) in enumerate(licences.items())]
    (audio / "t.tsv").write_text("\n".join(["file\ttext\tlicence\tage", *lines]) + "\n")


def settings(audio: Path, **options: Any) -> RunConfig:
    source = {"path": str(audio), "name": "s", "transcripts": "t.tsv"} | options
    return config(audio, audio.parent / "data", sources=[source])


def decided(version: Version) -> dict[str, tuple[str, list[str], str | None]]:
    rows = version.clips(["path", "status", "reasons", "message"]).to_pylist()
    return {row["path"][:-4]: (row["status"], row["reasons"], row["message"]) for row in rows}


def in_shards(version: Version) -> dict[str, Any]:
    """Path of each kept clip -> what the json of its sample says that is carried."""
    [(name, entry)] = version.document.representations.items()
    facts = [
        fact
        for shard in entry.shards
        for fact in read_facts(version.store.get(f"shards/{name}/{shard.sha256}.tar"), shard.sha256)
    ]
    told = {fact["clip"]: fact.get("carried") for fact in facts}
    rows = version.clips(["clip", "path", "status"]).to_pylist()
    return {row["path"]: told[row["clip"]] for row in rows if row["status"] == "kept"}


def test_clips_without_an_accepted_licence_are_dropped_with_the_reason_and_counted(audio: Path) -> None:
    version = run(settings(audio, **REQUIRED)).version
    assert decided(version) == {
        "a": ("kept", [], None),
        "b": ("kept", [], None),
        "c": ("dropped", ["requires_licence"], "licence is 'cc-by-nc-4.0', required cc0 or cc-by (source 's')"),
        "d": ("dropped", ["requires_licence"], "licence is missing, required cc0 or cc-by (source 's')"),
        "e": ("kept", [], None),
    }
    assert version.document.dropped_by_reason == {"requires_licence": 2}
    assert (version.document.counts.kept, version.document.counts.dropped) == (3, 2)
    found = profile(version.files(), version.document.curators)
    assert found["reasons"]["requires_licence"]["clips"] == 2
    assert {value: row["kept"] for value, row in found["carried"]["licence"].items()} == {
        "CC0": 1, "CC0-1.0": 1, "cc-by 4.0": 1, "cc-by-nc-4.0": 0, "none": 0
    }  # fmt: skip
    assert found["carried"]["licence"]["none"]["dropped"] == 1


def test_a_plan_says_what_a_new_requirement_would_drop_and_no_model_runs_for_it(audio: Path) -> None:
    run(settings(audio, carry=["licence"]))
    stricter = settings(audio, carry=["licence"], require={"licence": ["cc0"]})
    found = plan(stricter)
    assert found.unmet == {"requires_licence": 3}
    assert (found.flips, found.to_score, found.to_extract) == (3, {}, {})
    version = run(stricter).version
    assert version.document.dropped_by_reason == {"requires_licence": 3}
    assert run(settings(audio, carry=["licence"])).version.document.counts.kept == 5
    assert verify(str(audio.parent / "data")) == []


def test_what_is_carried_is_in_the_json_of_each_sample(audio: Path, tmp_path: Path) -> None:
    version = run(settings(audio, carry=["licence", "age"])).version
    told = {f"{n}.wav": {"licence": licence or None, "age": f"4{i}"} for i, (n, licence) in enumerate(LICENCES.items())}
    assert in_shards(version) == told
    data = str(audio.parent / "data")
    pull(data, str(tmp_path / "copy"), ["cheap"], where="carried.licence = 'CC0'")
    assert in_shards(open_version(str(tmp_path / "copy"))) == {"e.wav": told["e.wav"]}
    export(data, str(tmp_path / "manifest"), "manifest")
    lines = (tmp_path / "manifest" / "manifest.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["carried"]["age"] for line in lines) == ["40", "41", "42", "43", "44"]


def test_a_corrected_licence_is_corrected_in_the_shards_and_nothing_is_extracted(audio: Path) -> None:
    first = run(settings(audio, carry=["licence"])).version
    write_table(audio, LICENCES | {"c": "cc0"})
    second = run(settings(audio, carry=["licence"])).version
    assert in_shards(first)["c.wav"] == {"licence": "cc-by-nc-4.0"}
    assert in_shards(second)["c.wav"] == {"licence": "cc0"}
    assert {stage.name: stage.done for stage in second.document.stages}["extract"] == 0
    third = run(settings(audio, carry=["licence", "age"])).version
    assert in_shards(third)["c.wav"] == {"licence": "cc0", "age": "42"}
    without = run(settings(audio)).version
    assert set(in_shards(without).values()) == {None}
    assert verify(str(audio.parent / "data")) == []


@pytest.mark.parametrize("purge", [False, True])
def test_a_redaction_takes_what_is_carried_out_of_the_shards(audio: Path, purge: bool) -> None:
    before = run(settings(audio, carry=["licence"])).version
    takedown(str(audio.parent / "data"), where="path = 'b.wav'", redact=True, purge=purge)
    version = open_version(str(audio.parent / "data"))
    told = in_shards(version)
    assert told[None] == {"licence": None}  # pyright: ignore[reportArgumentType]
    assert told["a.wav"] == {"licence": "CC0-1.0"}
    assert verify(str(audio.parent / "data")) == []
    if not purge:
        rollback(str(audio.parent / "data"), before.document.number)
        assert in_shards(open_version(str(audio.parent / "data")))[None] == {"licence": None}  # pyright: ignore[reportArgumentType]


def test_a_recording_that_lies_in_two_sources_has_to_satisfy_each(audio: Path) -> None:
    other = audio.parent / "other"
    other.mkdir()
    (other / "a.wav").write_bytes((audio / "a.wav").read_bytes())
    (other / "c.wav").write_bytes((audio / "c.wav").read_bytes())
    (other / "t.tsv").write_text("file\ttext\tlicence\na.wav\tx\tproprietary\nc.wav\ty\tcc0\n")
    second = {"path": str(other), "name": "o", "transcripts": "t.tsv", "carry": ["licence"]}
    both = [settings(audio, **REQUIRED).sources[0].model_dump(), second | {"require": {"licence": "cc0"}}]
    version = run(config(audio, audio.parent / "data", sources=both)).version
    found = decided(version)
    assert found["a"][2] == "licence is 'proprietary', required cc0 (source 'o')"
    assert found["c"][2] == "licence is 'cc-by-nc-4.0', required cc0 or cc-by (source 's')"
    assert found["b"][0] == "kept"


def test_a_bad_licence_condemns_no_group_and_the_licensed_copy_stays(audio: Path) -> None:
    write_table(audio, {"a": "x", "b": "x", "c": "x", "d": "x", "e": "cc0"})
    rules = {"drop_groups": [{"by": "source", "max_share": 0.1}]}
    source = settings(audio, **REQUIRED).sources[0].model_dump()
    version = run(config(audio, audio.parent / "data", sources=[source], **rules)).version
    assert decided(version)["e"][0] == "kept"
    assert version.document.dropped_by_reason == {"requires_licence": 4}


def test_a_column_that_no_label_has_is_refused_before_anything_is_opened(audio: Path) -> None:
    with pytest.raises(ConfigError, match="requires 'license', and none of its 5 labels has a value there"):
        run(settings(audio, carry=["license"], require={"license": ["cc0"]}))
    with pytest.raises(ConfigError, match="has no labels that could say it: give `transcripts`"):
        plan(settings(audio, transcripts=None, **REQUIRED))
    assert not (audio.parent / "data" / "versions").exists()
