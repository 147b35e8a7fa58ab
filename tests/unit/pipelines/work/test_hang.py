"""A decoder, curator or codec that never returns, or kills its process, costs its own clip and no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
from corpus import write_clip
from own_process_jobs import HangingRecipe, double_or_die

from auricle.pipelines.passes.extract import ExtractRecipe
from auricle.pipelines.passes.score import ScoreRecipe
from auricle.pipelines.work import hang
from auricle.pipelines.work.isolation import run_isolated
from auricle.pipelines.work.own_process import run_each
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.keys import sha256_file


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """One second, in the children too."""
    monkeypatch.setenv("AURICLE_DECODE_LIMIT_S", "1")
    monkeypatch.setattr(hang, "LIMIT_S", 1.0)


@pytest.mark.usefixtures("short_limit")
def test_an_item_that_hangs_becomes_an_error_row_and_its_neighbours_live() -> None:
    items = [{"key": "a"}, {"key": "hang", "uri": "/audio/stuck.mp3"}, {"key": "b"}]
    rows = [result.row for result in run_isolated(HangingRecipe(), items)]
    assert [row["key"] for row in rows] == ["a", "hang", "b"]
    assert rows[1]["error_reason"] == "timed_out"
    assert rows[1]["error_message"] == "stuck.mp3: its decoder gave nothing for 1 s, twice"
    assert all(row.get("error_reason") is None for row in (rows[0], rows[2]))


@pytest.mark.usefixtures("short_limit")
def test_of_loose_jobs_only_those_that_kill_or_hang_are_lost() -> None:
    found = list(run_each(double_or_die, [1, 2, 3, 4, 5], lambda job, code, hung: [job, code], 2))
    assert found == [[1, 1], [2, 2], [3, -6], [4, hang.EXIT_CODE], [5, 5]]


def test_outside_of_workers_nothing_is_watched() -> None:
    with hang.bounded("a curator", 0.01):
        time.sleep(0.05)


def test_a_curator_that_hangs_costs_a_clip_this_one_score(tmp_path: Path) -> None:
    recipe = ScoreRecipe(("loudness", "stuck"), {}, limit_s=1.0)
    items = [scored(write_clip(tmp_path / f"{seed}.wav", seed, seconds=0.05, poison=seed == 1)) for seed in range(3)]
    rows = [result.row for result in run_isolated(recipe, items)]
    assert [row["stuck"].get("stuck_ok") for row in rows] == [True, None, True]
    assert rows[1]["stuck"]["reason"] == "failed: timed_out: stuck took longer than 1 s"
    assert all("error_reason" not in row and row["loudness"]["reason"] is None for row in rows)


def test_a_codec_that_hangs_costs_a_clip_its_representations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHEAP_SLEEP_S", "1000")
    recipe = ExtractRecipe((RepresentationConfig(codec="cheap", kind="codes"),), limit_s=1.0)
    item = scored(write_clip(tmp_path / "a.wav", 0, seconds=0.05)) | {"representations": "cheap-codes-100hz"}
    (result,) = run_isolated(recipe, [item])
    assert result.row["cheap-codes-100hz"]["error"] == "timed_out: cheap-codes-100hz took longer than 1 s"
    assert "error_reason" not in result.row


def test_long_audio_has_more_time() -> None:
    assert [hang.allowed_s(300, audio_s) for audio_s in (1, 30, 3600)] == [300, 300, 36_000]


def scored(path: Path) -> dict[str, Any]:
    """The item of the score pass for a whole file."""
    span = {"channel": 0, "start": 0, "end": soundfile.info(path).frames}
    item = {"key": path.stem, "recording": sha256_file(path), "uri": str(path), "curators": "loudness,stuck"}
    return item | span


PARENT = """
import signal
from own_process_jobs import sleep_long
from auricle.pipelines.work.own_process import run_each
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite run in the background ignores it
    print(next(run_each(sleep_long, [1, 2], lambda job, code, hung: code, 2)), flush=True)
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_or_a_kill_of_the_parent_ends_its_jobs_without_a_word(
    tmp_path: Path, ending: signal.Signals
) -> None:
    """Ctrl-C reaches the whole group, the children while they may still import."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    marks = tmp_path / "marks"
    marks.mkdir()
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "MARKS": str(marks), "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: len(list(marks.iterdir())) == 2)
    children = [int(mark.name) for mark in marks.iterdir()]
    if ending == signal.SIGINT:
        os.killpg(parent.pid, ending)
    else:
        parent.kill()
    _, err = parent.communicate(timeout=30)
    wait_until(lambda: not any(alive(child) for child in children))
    assert "SpawnProcess" not in err


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(holds: Callable[[], bool], limit_s: float = 30) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
