"""What each kind of night costs, in calls of models: curators and codec count themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_clip, write_corpus
from inprocess import without_ray

from auricle.loaders import Version, open_version
from auricle.pipelines.run import run

CODES = {"codec": "cheap", "kind": "codes"}
LATENTS = {"codec": "cheap", "kind": "latents"}


class Nights:
    """A dataset of twenty clips of which the loud half is kept, and what each further run costs."""

    def __init__(self, root: Path, calls: Any) -> None:
        self.audio, self.data, self._calls = root / "audio", root / "data", calls
        write_corpus(self.audio, 20)
        levels = self.levels(self.night())
        self.loud = sorted(levels.values())[10]
        self.settings: dict[str, Any] = {"keep": [{"score": "loudness_db", "min": self.loud, "reason": "quiet"}]}
        # made again, so that the quiet ones never had a latent
        self.data = root / "dataset"
        self.night()

    @staticmethod
    def levels(version: Version) -> dict[str, float]:
        return {r["path"]: r["loudness"]["loudness_db"] for r in version.clips(["path", "loudness"]).to_pylist()}

    def night(self, **changes: Any) -> Version:
        self._calls.clear()
        settings = getattr(self, "settings", {}) | changes
        return run(config(self.audio, self.data, **settings)).version

    def cost(self, **changes: Any) -> dict[str, int]:
        """Calls per model of one more run; names that were not called are left out."""
        self.night(**changes)
        found = {name: self._calls[name] for name in ("loudness", "words", "cheap")}
        return {name: count for name, count in found.items() if count}

    @property
    def newest(self) -> Version:
        return open_version(str(self.data))


@pytest.fixture
def nights(tmp_path: Path, calls: Any, monkeypatch: pytest.MonkeyPatch) -> Nights:
    without_ray(monkeypatch)
    monkeypatch.setenv("COUNT_CALLS", str(calls.path))
    return Nights(tmp_path, calls)


def test_the_first_night_scores_all_and_extracts_what_is_kept(nights: Nights) -> None:
    assert nights.newest.document.counts.kept == 10
    assert {name: nights._calls[name] for name in ("loudness", "words", "cheap")} == {
        "loudness": 20, "words": 20, "cheap": 10,
    }  # fmt: skip


def test_nothing_changed_costs_nothing_and_loads_no_model(nights: Nights) -> None:
    assert nights.cost() == {}
    assert nights.newest.document.number == 1
    path = nights.audio.parent / "auricle.yaml"
    path.write_text(config(nights.audio, nights.data, **nights.settings).model_dump_json())
    code = """
import sys
from auricle.jobs.cli import main
sys.argv = ["auricle", "run", sys.argv[1]]
try:
    main()
finally:
    print([m for m in ("torch", "ray", "onnxruntime", "great_expectations") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["nothing new: version 1 is up to date", "[]"]


def test_ten_files_added_are_the_ten_processed(nights: Nights) -> None:
    write_corpus(nights.audio, 10, first=20)
    assert nights.cost(keep=[]) == {"loudness": 10, "words": 10, "cheap": 20}
    assert nights.newest.document.counts.clips == 30


def test_a_file_renamed_or_moved_costs_nothing_and_its_path_follows(nights: Nights) -> None:
    (nights.audio / "deep/er").mkdir(parents=True)
    (nights.audio / "clip_0003.wav").rename(nights.audio / "clip_0103.wav")
    (nights.audio / "clip_0004.wav").rename(nights.audio / "deep/er/clip_0004.wav")
    table = nights.audio / "transcripts.tsv"
    text = table.read_text().replace("clip_0003.wav", "clip_0103.wav")
    table.write_text(text.replace("clip_0004.wav", "deep/er/clip_0004.wav"))
    assert nights.cost() == {}
    paths = set(nights.newest.clips(["path"])["path"].to_pylist())
    assert {"clip_0103.wav", "deep/er/clip_0004.wav"} <= paths
    assert not {"clip_0003.wav", "clip_0004.wav"} & paths


def test_changed_bytes_retire_the_old_clip_and_make_a_new_one(nights: Nights) -> None:
    before = set(nights.newest.clips(["clip"])["clip"].to_pylist())
    write_clip(nights.audio / "clip_0005.wav", 905)
    assert nights.cost(keep=[]) == {"loudness": 1, "words": 1, "cheap": 11}
    after = set(nights.newest.clips(["clip"])["clip"].to_pylist())
    assert len(before - after) == len(after - before) == 1


@pytest.mark.parametrize(("missing", "clips"), [("keep", 20), ("retire", 19)])
def test_a_file_gone_stays_or_goes_as_the_configuration_says(nights: Nights, missing: str, clips: int) -> None:
    (nights.audio / "clip_0006.wav").unlink()
    source = {"path": str(nights.audio), "name": "corpus", "transcripts": "transcripts.tsv", "missing": missing}
    assert nights.cost(sources=[source]) == {}
    assert nights.newest.document.counts.clips == clips


def test_a_threshold_tightened_is_decisions_only(nights: Nights) -> None:
    assert nights.cost(keep=[{"score": "loudness_db", "min": nights.loud + 1, "reason": "quiet"}]) == {}
    assert nights.newest.document.counts.kept < 10


def test_a_threshold_loosened_is_exactly_the_missing_latents(nights: Nights) -> None:
    lower = sorted(nights.levels(nights.newest).values())[7]
    assert nights.cost(keep=[{"score": "loudness_db", "min": lower, "reason": "quiet"}]) == {"cheap": 3}
    assert nights.newest.document.counts.kept == 13
    assert nights.cost(keep=[]) == {"cheap": 7}


def test_a_corrected_label_is_only_what_reads_it(nights: Nights) -> None:
    table = nights.audio / "transcripts.tsv"
    text = table.read_text()

    def corrected(old: str, new: str) -> dict[str, int]:
        table.write_text(text.replace(old, new))
        return nights.cost()

    assert corrected("words of clip_0007", "five words in place of") == {"words": 1}
    assert corrected("clip_0007.wav\tspeaker3\ten", "clip_0007.wav\tspeaker9\ten") == {"words": 1}, "its text is back"
    assert corrected("clip_0008.wav\tspeaker0\ten", "clip_0008.wav\tspeaker0\tde") == {}
    row = next(r for r in nights.newest.clips(["path", "language"]).to_pylist() if r["path"] == "clip_0008.wav")
    assert row["language"] == "de"


def test_a_curators_parameter_is_that_curator_only(nights: Nights) -> None:
    score = {"curators": ["loudness", "words"], "options": {"loudness": {"floor_db": -90}}}
    assert nights.cost(score=score) == {"loudness": 20}


def test_another_segmentation_cuts_anew_and_retires_the_old_clips(nights: Nights) -> None:
    before = set(nights.newest.clips(["clip"])["clip"].to_pylist())
    assert nights.cost(segment={"method": "fixed", "max_s": 0.25}, keep=[]) == {
        "loudness": 40, "words": 40, "cheap": 40,
    }  # fmt: skip
    assert not before & set(nights.newest.clips(["clip"])["clip"].to_pylist())


def test_a_representation_added_is_a_backfill_of_kept_clips(nights: Nights) -> None:
    before = nights.newest.document.representations["cheap-codes-100hz"].shards
    assert nights.cost(representations=[CODES, LATENTS]) == {"cheap": 10}
    assert nights.newest.document.representations["cheap-codes-100hz"].shards == before


def test_other_weights_are_that_representation_only(nights: Nights) -> None:
    nights.night(representations=[CODES, LATENTS])
    before = nights.newest.document.representations
    other: dict[str, Any] = LATENTS | {"options": {"weights": "other"}}
    assert nights.cost(representations=[CODES, other]) == {"cheap": 10}
    after = nights.newest.document.representations
    assert after["cheap-codes-100hz"].shards == before["cheap-codes-100hz"].shards
    assert after["cheap-latents-100hz"].spec.fingerprint != before["cheap-latents-100hz"].spec.fingerprint


def test_a_plan_counts_what_the_run_then_does(nights: Nights) -> None:
    from auricle.pipelines.plan import plan

    write_corpus(nights.audio, 3, first=20)
    counted = plan(config(nights.audio, nights.data, keep=[]))
    assert counted.new_files == 3
    assert counted.to_score == {}
    assert {name: clips for name, (clips, _) in counted.to_extract.items()} == {"cheap-codes-100hz": 10}
    assert nights.cost(keep=[]) == {"loudness": 3, "words": 3, "cheap": 13}
