"""A night that brings nothing costs next to nothing: what cron pays for most often."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CLIPS = 100_000
ALLOWED_S = 5.0
"""On a machine that makes and looks through the rows of `LOOP` in `LOOP_S`; a slower one may take longer in proportion.
A loop that only adds does not tell: on a machine that added as fast as ever, old code took twice its time."""
LOOP = """
rows = [{"path": f"{n}.wav", "text": f"words of {n}", "speaker": n % 97} for n in range(400_000)]
names = {row["path"]: (row["text"].upper(), str(row["speaker"])) for row in rows}
"""
LOOP_S = 0.5


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
