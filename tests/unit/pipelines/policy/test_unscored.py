"""Clips that a rule keeps because they have no text are counted by the plan and the report, with the rule that drops
them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.curators.words.text import TextCurator
from auricle.dashboards.drawing.profile import profile
from auricle.dashboards.drawing.rules import rules_of
from auricle.dashboards.report.report import render
from auricle.jobs.datasets.show import print_plan
from auricle.pipelines.plan import plan
from auricle.pipelines.policy.judge_clip import Judge
from auricle.pipelines.run import run
from auricle.schemas.condition import Rule
from auricle.schemas.tables import Status
from auricle.schemas.unscored import NO_TEXT


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six clips, two of them without a transcript."""
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 6)
    labels = tmp_path / "audio" / "transcripts.tsv"
    labels.write_text("".join(labels.read_text().splitlines(keepends=True)[:5]))
    return tmp_path


def settings(corpus: Path, **rule: Any):
    tests = {"score": "num_words", "min": 1, "reason": "transcript"} | rule
    return config(corpus / "audio", corpus / "data", keep=[tests])


def test_plan_and_report_say_how_many_clips_a_rule_did_not_test(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = run(settings(corpus)).version
    assert version.document.counts.kept == 6
    line = "transcript: 2 kept clips have no num_words. `missing: drop` in the rule drops them"
    rules = rules_of(version.document.config)
    page = render(version.document, profile(version.files(), version.document.curators, rules), None, [])
    assert line in page
    assert "reason: no_text" in page
    print_plan(plan(settings(corpus, min=2)))
    assert line in capsys.readouterr().out.replace("\n", " ")


def test_a_rule_that_drops_what_it_cannot_test_leaves_nothing_to_say(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = run(settings(corpus, missing="drop")).version
    assert version.document.counts.kept == 4
    print_plan(plan(settings(corpus, missing="drop", min=2)))
    assert "kept clips have no" not in capsys.readouterr().out


def test_before_anything_is_scored_nothing_is_said_of_missing_scores(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_plan(plan(settings(corpus)))
    assert "kept clips have no" not in capsys.readouterr().out


@pytest.mark.parametrize(("text", "kept"), [(None, False), ("...", False), ("好", True), ("two words", True)])
def test_the_rule_that_a_clip_must_have_a_text_means_it(text: str | None, kept: bool) -> None:
    rule = Rule.model_validate(yaml.safe_load(NO_TEXT))
    curator = TextCurator()
    row = {column.name: None for column in curator.columns} | (curator.read(text, "en")[2] if text else {})
    assert (Judge([rule], [], [curator])(row).status == Status.KEPT) == kept
