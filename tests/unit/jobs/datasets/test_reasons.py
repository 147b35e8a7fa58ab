"""The counts by reason say which clips they count twice, and which had no score to test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus import config, write_corpus
from dataset_factory import voices, write_version
from inprocess import without_ray

from auricle.jobs.datasets.reasons import several, unmeasured
from auricle.jobs.datasets.show import print_version
from auricle.jobs.judging.report import write_report
from auricle.jobs.terminal import console
from auricle.loaders.reading.version import Version, open_version
from auricle.pipelines.run import run
from auricle.schemas.condition import Rule
from auricle.schemas.config import RunConfig

RULES = [
    {"score": "snr_db", "min": 10, "reason": "noisy"},
    {"score": "level_dbfs", "min": -60, "reason": "quiet"},
]


def settings(tmp_path: Path, **snr: str) -> RunConfig:
    keep = [RULES[0] | snr, RULES[1]]
    score = {"curators": ["snr", "signal"]}
    return config(tmp_path / "audio", tmp_path / "data", score=score, keep=keep, representations=[])


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two bursts of noise, in which there is no speech to measure, and a silent clip."""
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 2)
    soundfile.write(tmp_path / "audio" / "silent.wav", np.zeros(16000, np.float32), 16000)
    return tmp_path


def shown(version: Version) -> str:
    with console.out.capture() as said:
        print_version(version)
    return said.get()


def test_a_clip_that_could_not_be_measured_says_so(corpus: Path) -> None:
    version = run(settings(corpus)).version
    messages = {row["path"]: row["message"] for row in version.clips(["path", "message"]).to_pylist()}
    assert messages["silent.wav"] == "noisy: snr_db could not be measured (digital silence)"
    assert messages["clip_0000.wav"] == "noisy: snr_db could not be measured (no speech)"
    assert version.document.dropped_by_reason == {"noisy": 3, "quiet": 1}
    said = shown(version)
    assert "noisy: snr_db could not be measured in 3 of 3 clips" in said
    assert (
        "1 of 3 dropped clips has several reasons and counts under each, so the counts by reason add up to more" in said
    )
    page = write_report(version, corpus / "report.html", diagnose_first=False)
    assert isinstance(page, Path)
    assert "noisy: snr_db could not be measured in 3 of 3 clips" in page.read_text()


def test_a_rule_that_keeps_what_has_no_score_says_nothing(corpus: Path) -> None:
    version = run(settings(corpus, missing="keep")).version
    assert version.document.dropped_by_reason == {"quiet": 1}
    assert {row["message"] for row in version.clips(["message"]).to_pylist()} == {None}
    assert "could not be measured" not in shown(version)
    assert several(version) == 0


def test_a_null_that_does_not_apply_is_counted_where_the_rule_drops_it(corpus: Path) -> None:
    keep = [{"score": "num_words", "min": 1, "reason": "text", "missing": "drop"}]
    given = settings(corpus).model_copy(
        update={"keep": [Rule.model_validate(rule) for rule in keep], "score": config(corpus, corpus).score}
    )
    version = run(given).version
    messages = {row["path"]: row["message"] for row in version.clips(["path", "message"]).to_pylist()}
    assert messages["clip_0000.wav"] is None
    assert messages["silent.wav"] is not None
    assert messages["silent.wav"].startswith("text: num_words is missing (not_applicable")
    assert [one.line for one in unmeasured(version)] == ["text: num_words is missing in 1 of 1 clip"]


def test_nothing_is_counted_of_clips_that_are_too_noisy(tmp_path: Path) -> None:
    first, *rest = voices(4)
    noisy = rest[0].but(status="dropped", reasons=("noisy",), tier=None, snr_db=2.0)
    both = rest[1].but(status="dropped", reasons=("noisy", "transcript"), tier=None, snr_db=3.0)
    write_version(str(tmp_path / "data"), [first, noisy, both], config={"keep": [RULES[0]]})
    version = open_version(str(tmp_path / "data"))
    assert unmeasured(version) == []
    assert several(version) == 1
