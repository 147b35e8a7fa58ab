"""A run says what it does from its first pass to the gate, the stages without units among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.pipelines.run import run
from auricle.pipelines.work.progress import Silent
from auricle.schemas.errors import GateError


class Stages(Silent):
    """Progress that keeps which stages began and ended, and with how many units."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | bool]] = []

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None:
        self.seen.append((stage, bool(units)))

    def end(self, stage: str) -> None:
        self.seen.append((stage, "end"))


def test_every_stage_begins_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 3)
    given = config(tmp_path / "audio", tmp_path / "data", gate={"min_clips": 1})
    stages = Stages()
    run(given, progress=stages)
    begun = [one for one in stages.seen if one[1] != "end"]
    assert begun == [
        ("probe", True), ("score", True), ("decide", False), ("extract", True), ("assemble", False), ("gate", False),
    ]  # fmt: skip
    assert [stage for stage, what in stages.seen if what == "end"] == [stage for stage, _ in begun]
    again = Stages()
    run(given, progress=again)
    assert again.seen == [], "a night without anything new does none of them"


def test_the_gate_ends_where_it_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 3)
    stages = Stages()
    with pytest.raises(GateError):
        run(config(tmp_path / "audio", tmp_path / "data", gate={"min_clips": 4}), progress=stages)
    assert stages.seen[-2:] == [("gate", False), ("gate", "end")]
