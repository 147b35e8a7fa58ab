"""The registry of models as the command shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from corpus import config, write_corpus
from inprocess import without_ray
from typer.testing import CliRunner

from auricle.curators.words.ctc import CtcCurator
from auricle.jobs.models import models, registry_commands
from auricle.jobs.models.models import (
    compare,
    print_comparison,
    print_models,
    promote_model,
    roll_back_models,
)
from auricle.pipelines.run import run
from auricle.schemas.errors import MissingExtraError, WeightsError

FLOOR = {"floor_db": -20.0}


def test_every_curator_is_listed_although_the_weights_of_one_are_absent(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(self: CtcCurator) -> str:
        raise WeightsError("its weights are not on this machine")

    monkeypatch.setattr(CtcCurator, "weights", absent)
    print_models(None)
    lines = {line.split()[1]: line for line in capfd.readouterr().out.splitlines() if line.startswith("curator")}
    assert set(models.available()) == set(lines)
    assert "weights absent" in lines["transcript_ctc"]
    assert f" {CtcCurator.version} " in lines["transcript_ctc"]
    assert "transcript_trust" in lines["transcript_ctc"]
    assert "absent" not in lines["signal"]


def test_a_curator_that_cannot_be_made_for_another_reason_is_listed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def unpacked(*_: Any) -> Any:
        raise MissingExtraError("score", "curate", "onnxruntime")

    monkeypatch.setattr(models, "build", unpacked)
    assert models._curator("vad")["amiss"] == "package absent"


def test_the_dataset_of_the_list_is_optional_once() -> None:
    app = typer.Typer()
    registry_commands.add(app)
    shown = CliRunner().invoke(app, ["models", "list", "--help"]).output
    assert "[DATASET]" in shown
    assert "[[DATASET]]" not in shown


def slice_of(name: str) -> dict[str, Any]:
    return {"slice": name, "score": "snr_db", "clips": 9, "null_before": 0, "null_after": 0, "agreement": 0.5}


def record(**changes: Any) -> dict[str, Any]:
    names = ("all", "source a", "language en", "status kept", "tier gold", "under 2 s", "over 10 s")
    return {
        "name": "alignment", "slot": "alignment", "options": {"mode": "lite"},
        "fingerprint": "0" * 32, "version": 3, "clips": 9, "failed": 0,
        "slices": [slice_of(name) for name in names], "flips": {}, **changes,
    }  # fmt: skip


def test_a_comparison_is_printed_by_tier_and_length_too(capfd: pytest.CaptureFixture[str]) -> None:
    print_comparison(record())
    out = capfd.readouterr().out
    assert all(name in out for name in ("language en", "status kept", "tier gold", "under 2 s", "over 10 s"))
    assert "real time" not in out


def test_the_cost_is_printed_beside_that_of_the_current_one(capfd: pytest.CaptureFixture[str]) -> None:
    print_comparison(record(cpu_s=2.0, current_cpu_s=4.0, audio_s=100.0, current="alignment", current_not_run=None))
    out = capfd.readouterr().out
    assert "alignment with mode=lite: 50 times real time on one core, models loaded" in out
    assert "alignment as it is now: 25 times real time; the candidate costs 0.50 of that" in out
    print_comparison(record(cpu_s=2.0, current_cpu_s=None, audio_s=100.0, current_not_run="its weights are absent"))
    assert "the cost of the current one is not known here: its weights are absent" in capfd.readouterr().out


def test_nothing_to_compare_with_is_printed_and_no_flips_are(capfd: pytest.CaptureFixture[str]) -> None:
    print_comparison(record(uncompared="nothing to compare with: version 3 has no scores of alignment", flips=None))
    out = capfd.readouterr().out
    assert "nothing to compare with: version 3 has no scores of alignment" in out
    assert "decisions" not in out


def test_promotion_and_rollback_say_which_runs_use_what_with_which_options(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 3)
    run(config(tmp_path / "audio", tmp_path / "data"))
    data = str(tmp_path / "data")
    for options in (FLOOR, {}):
        compare(data, "loudness", None, options, 200, quiet=True)
        promote_model(data, "loudness", None, options, "")
    out = capfd.readouterr().out
    used = "runs whose configuration names loudness use loudness with"
    assert f"promotion 1: {used} floor_db=-20.0 from now on" in out
    assert f"promotion 2: {used} default options from now on" in out
    roll_back_models(data, None)
    roll_back_models(data, None)
    out = capfd.readouterr().out
    assert f"promotion 3 (promotion 1 again): {used} floor_db=-20.0" in out
    assert "promotion 4 (promotion 0 again): runs use what configurations say" in out
