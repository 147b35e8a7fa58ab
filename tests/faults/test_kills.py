"""Real kills of drivers, workers and nodes, while publishing too; `make faults N=500` does more of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 20


@pytest.mark.faults
@pytest.mark.ray
@pytest.mark.timeout(1500)
def test_kills_lose_nothing_double_nothing_and_change_no_byte() -> None:
    harness = Path(__file__).with_name("harness.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(harness), str(KILLS)],
        capture_output=True,
        text=True,
        timeout=1450,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    assert done.returncode == 0, f"{last}\n{done.stderr[-3000:]}"
    assert ": 0 clips lost, 0 doubled, 0 shards" in last
    assert int(last.split(" runs, ")[1].split(" kills")[0]) >= KILLS
