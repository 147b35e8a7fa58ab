"""What rules leave undecided is counted by the run, by the plan and by the report, and all three agree."""

from __future__ import annotations

from pathlib import Path

import auricle_test_plugins as plugins
import pytest
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.dashboards.drawing.profile import profile
from auricle.dashboards.drawing.rules import rules_of
from auricle.jobs.datasets.show import print_plan, print_undecided
from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.schemas.score import ScoreColumn


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 8)
    measured = plugins.Loudness.score

    def score(self: plugins.Loudness, batch):
        return [row | {"loudness_sigma_db": 2.0} for row in measured(self, batch)]

    columns = (*plugins.Loudness.columns, ScoreColumn("loudness_sigma_db", "float32", "dB", "Its deviation"))
    monkeypatch.setattr(plugins.Loudness, "columns", columns)
    monkeypatch.setattr(plugins.Loudness, "score", score)
    return tmp_path


def test_run_plan_and_report_count_the_same_undecided_clips(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def settings(unsure: str):
        rule = {"score": "loudness_db", "min": -20, "reason": "quiet", "confidence": 0.9, "unsure": unsure}
        return config(corpus / "audio", corpus / "data", keep=[rule])

    outcome = run(settings("tier"))
    (found,) = outcome.undecided
    document = outcome.version.document
    levels = [row["loudness"]["loudness_db"] for row in _rows(outcome.version)]
    assert found.clips == sum(abs(level + 20) < 2 * 1.2816 for level in levels) > 0
    assert document.kept_by_tier["undecided"] == found.clips
    (reported,) = profile(outcome.version.files(), document.curators, rules_of(document.config))["undecided"]
    assert reported | {"curve": []} == found.model_dump()
    confidences, left, right = zip(*reported["curve"], strict=True)
    assert (confidences[0], left[0]) == (0.5, 0)
    assert dict(zip(confidences, left, strict=True))[0.9] == pytest.approx(found.clips / len(levels), abs=1e-6)
    assert list(left) == sorted(left)
    assert all(r >= c - 0.011 for c, r in zip(confidences, right, strict=True))
    (planned,) = plan(settings("drop")).undecided
    assert planned.model_dump() == found.model_dump() | {"unsure": "drop", "rule": planned.rule}
    print_undecided([found])
    print_plan(plan(settings("drop")))
    said = capsys.readouterr().out.replace("\n", " ")
    assert f"quiet: {found.clips} clips" in said
    assert "They are kept in the tier 'undecided'" in said
    assert "They are dropped" in said
    assert "dropping them loses about" in said
    dropped = run(settings("drop"))
    assert dropped.version.document.counts.kept == document.counts.kept - found.clips


def _rows(version):
    import pyarrow.parquet as pq

    return [row for file in version.files() for row in pq.read_table(file).to_pylist()]
