"""A night that brings nothing costs next to nothing: what cron pays for most often."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

BENCHMARK = Path(__file__).parents[2] / "benchmarks/scale.py"
CLIPS = 100_000
ALLOWED_S = 5.0


def _scale() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scale", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_new_takes_less_than_five_seconds_for_a_hundred_thousand_known_clips(tmp_path: Path) -> None:
    scale, compiled = _scale(), str(tmp_path / "compiled")
    config = scale.known_files(tmp_path, CLIPS)
    # CPU seconds: a busy machine lengthens only the others. The first start compiles the modules
    bare = min(scale.started([sys.executable, "-c", "pass"], compiled)[1] for _ in range(2))
    found = [scale.started([sys.executable, "-c", scale.IDLE, str(config)], compiled) for _ in range(2)]
    for _, _, printed in found:
        assert printed.startswith("nothing new: version 1")
        assert printed.splitlines()[-1].split() == ["loaded:"]
    assert min(cpu for _, cpu, _ in found) - bare < ALLOWED_S
