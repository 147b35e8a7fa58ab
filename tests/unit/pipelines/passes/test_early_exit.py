"""Early exit: a clip that a cheap rule drops does not pay for the costly scores, and says so."""

from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.dashboards.drawing.profile import profile
from auricle.loaders import Version
from auricle.pipelines.passes.score import CHEAP_FIRST
from auricle.pipelines.run import run

WORDS = {"score": "num_words", "min": 2, "reason": "few_words"}


def quiet(least_db: float) -> dict[str, Any]:
    return {"score": "loudness_db", "min": least_db, "reason": "quiet"}


class Nights:
    """A corpus of twelve clips, run night by night; counts the clips that each curator is asked about."""

    def __init__(self, root: Path, calls: Path) -> None:
        self.root, self.calls = root, calls

    def run(self, dataset: str, early_exit: bool, *keep: dict[str, Any]) -> Version:
        self.calls.write_text("")
        score = {"curators": ["words", "loudness"], "early_exit": early_exit}
        return run(config(self.root / "audio", self.root / dataset, score=score, keep=list(keep))).version

    def asked(self, curator: str) -> int:
        return self.calls.read_text().split().count(curator)


@pytest.fixture
def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    without_ray(monkeypatch)
    monkeypatch.setenv("COUNT_CALLS", str(tmp_path / "calls.txt"))
    # the curators of the tests are in no list: loudness is the cheap one by its name
    write_corpus(tmp_path / "audio", 12)
    return Nights(tmp_path, tmp_path / "calls.txt")


def rows(version: Version) -> list[dict[str, Any]]:
    return version.clips(["clip", "status", "reasons", "loudness", "words"]).sort_by("clip").to_pylist()


def test_costly_scores_of_dropped_clips_are_null_with_the_rule_that_skipped_them(nights: Nights) -> None:
    version = nights.run("data", True, quiet(-26.0), WORDS)
    dropped = [r for r in rows(version) if r["status"] == "dropped"]
    kept = [r for r in rows(version) if r["status"] == "kept"]
    assert dropped
    assert kept
    assert (nights.asked("loudness"), nights.asked("words")) == (12, len(kept))
    for row in dropped:
        assert row["words"]["num_words"] is None
        assert row["words"]["reason"] == "skipped: quiet: loudness_db >= -26"
        assert row["loudness"]["loudness_db"] < -26
        assert row["reasons"] == ["quiet"]
    assert all(row["words"]["num_words"] == 3 for row in kept)


def test_reports_count_what_was_skipped(nights: Nights) -> None:
    version = nights.run("data", True, quiet(-26.0), WORDS)
    dropped = version.document.counts.dropped
    found = profile(version.files(), version.document.curators)["scores"]["num_words"]
    assert found["null_reasons"] == {"skipped: quiet: loudness_db >= -26": dropped}
    assert found["nulls"]["dropped"] == dropped


def test_the_same_clips_are_kept_with_and_without_it(nights: Nights) -> None:
    with_, without = (nights.run(name, on, quiet(-26.0), WORDS) for name, on in (("early", True), ("full", False)))
    assert [(r["clip"], r["status"]) for r in rows(with_)] == [(r["clip"], r["status"]) for r in rows(without)]
    assert all(r["words"]["num_words"] == 3 for r in rows(without)), "off by default, every clip has every score"


def test_loosening_the_rule_scores_exactly_what_it_had_skipped(nights: Nights) -> None:
    before = nights.run("data", True, quiet(-26.0), WORDS).document.counts.dropped
    looser = nights.run("data", True, quiet(-60.0), WORDS)
    assert (nights.asked("loudness"), nights.asked("words")) == (0, before)
    assert looser.document.counts.dropped == 0
    assert all(r["words"]["num_words"] == 3 for r in rows(looser))


def test_turning_it_off_scores_what_is_missing(nights: Nights) -> None:
    before = nights.run("data", True, quiet(-26.0), WORDS).document.counts.dropped
    nights.run("data", False, quiet(-26.0), WORDS)
    assert nights.asked("words") == before


def test_the_order_is_by_measured_cost() -> None:
    from auricle.curators.registry import CURATORS

    assert set(CHEAP_FIRST) == set(CURATORS), "a curator without a place would run last"
    assert CHEAP_FIRST.index("signal") < CHEAP_FIRST.index("vad") < CHEAP_FIRST.index("alignment")
