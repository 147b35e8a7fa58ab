"""What a plan says: what is new, that a run is in progress, and nothing done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.jobs.datasets.show import print_plan
from auricle.loaders.storage.store import Store
from auricle.pipelines.plan import Plan, plan
from auricle.pipelines.publishing.lease import lease
from auricle.pipelines.run import run
from auricle.pipelines.upkeep.status import dataset_status
from auricle.pipelines.work.progress import Silent
from auricle.schemas.config import Gate
from auricle.schemas.errors import GateError


class Told(Silent):
    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 3)
    return tmp_path


def test_a_plan_for_a_dataset_that_is_not_there_yet_makes_nothing(corpus: Path) -> None:
    found = plan(config(corpus / "audio", corpus / "data"))
    assert (found.version, found.new_files, found.held_by) == (None, 3, None)
    assert found.new_hours * 3600 == pytest.approx(1.5, rel=0.01)
    assert not (corpus / "data").exists()


def test_a_plan_estimates_what_is_no_wav_and_lets_no_decoder_print(
    corpus: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = corpus / "audio" / "torn.mp3"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 16000), 16000)
    path.write_bytes(path.read_bytes()[:-1000])
    (corpus / "audio" / "text.wav").write_text("no audio")
    found = plan(config(corpus / "audio", corpus / "data"))
    assert found.new_files == 5
    assert found.new_hours * 3600 == pytest.approx(2.5, rel=0.05)
    assert capfd.readouterr().err == ""


def test_a_plan_beside_a_live_run_says_that_it_is_in_progress(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config(corpus / "audio", corpus / "data")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr("auricle.pipelines.run.pack", killed)
        with pytest.raises(KeyboardInterrupt):
            run(settings)
    print_plan(plan(settings))
    assert "is unfinished, the next run resumes it" in capsys.readouterr().out
    with lease(Store(settings.dataset), wait=False):
        beside = plan(settings)
    assert beside.held_by is not None
    assert beside.held_by.startswith("process ")
    print_plan(beside)
    assert f"is in progress ({beside.held_by})" in capsys.readouterr().out
    print_plan(plan(settings))
    assert "in progress" not in capsys.readouterr().out


def test_a_run_that_the_gate_refused_is_called_so_with_what_it_failed(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config(corpus / "audio", corpus / "data", gate={"min_clips": 9})
    with pytest.raises(GateError, match="required"):
        run(settings)
    found = plan(settings)
    assert list(found.refused) == list(found.unfinished)
    print_plan(found)
    out = capsys.readouterr().out
    assert "was refused by the gate (" in out
    assert "observed 3" in out
    assert "resumes it" not in out
    told = Told()
    with pytest.raises(GateError):
        run(settings, progress=told)
    (line,) = (each for each in told.notices if each.startswith("resuming run"))
    assert "which the gate refused (" in line
    assert "observed 3" in line
    for candidate in (corpus / "data" / "runs").glob("*/candidate-*.json"):
        candidate.write_text("{")
    torn = plan(settings)
    assert (len(torn.unfinished), torn.refused) == (1, {})
    assert [line.partition(": ")[2] for line in torn.notices] == [
        "damaged, so it does not say whether the gate refused it; the next run makes it again"
    ] * 2
    assert [left.state for left in dataset_status(Store(settings.dataset)).unfinished] == ["unfinished"]
    assert run(settings.model_copy(update={"gate": Gate()})).status == "published"


def test_nothing_new_is_said_in_one_line(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = config(corpus / "audio", corpus / "data")
    run(settings)
    print_plan(plan(settings))
    out = capsys.readouterr().out
    assert out == "nothing new against version 1: 3 files are unchanged; a run would do and publish nothing\n"


@pytest.mark.parametrize(
    ("new", "changed", "rows"),
    [
        (3, 0, {"new": "3 0.5", "changed": "0 -"}),
        (0, 24, {"new": "0 -", "changed": "24 0.5"}),
        (3, 24, {"new": "3 -", "changed": "24 -", "new or changed": "27 0.5"}),
        (0, 0, {"new": "0 -", "changed": "0 -"}),
    ],
)
def test_hours_stand_in_the_row_of_the_files_that_they_are_of(
    new: int, changed: int, rows: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    print_plan(Plan(1, False, new_files=new, changed_files=changed, new_hours=0.5 if new + changed else 0.0))
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for kind, cells in rows.items():
        assert f"files {kind} {cells}" in printed
