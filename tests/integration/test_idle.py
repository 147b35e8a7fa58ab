"""A night that brings nothing costs next to nothing: what cron pays for most often."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CLIPS = 100_000
ALLOWED_S = 5.0
"""On a machine that adds twenty million numbers in `LOOP_S`; a slower one may take longer in proportion."""
LOOP = "total = 0\nfor number in range(20_000_000): total += number"
LOOP_S = 1.2


def test_nothing_new_takes_less_than_five_seconds_for_a_hundred_thousand_known_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    scale, compiled = import_module("scale"), str(tmp_path / "compiled")
    config = scale.known_files(tmp_path, CLIPS)
    # CPU seconds: a busy machine lengthens only the others. The first start compiles the modules
    bare = min(scale.started([sys.executable, "-c", "pass"], compiled)[1] for _ in range(2))
    loop = min(scale.started([sys.executable, "-c", LOOP], compiled)[1] for _ in range(2)) - bare
    found = [scale.started([sys.executable, "-c", scale.IDLE, str(config)], compiled) for _ in range(2)]
    for _, _, printed in found:
        assert printed.startswith("nothing new: version 1")
        assert printed.splitlines()[-1].split() == ["loaded:"]
    assert min(cpu for _, cpu, _ in found) - bare < ALLOWED_S * max(1.0, loop / LOOP_S)
