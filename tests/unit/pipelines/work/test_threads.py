"""What a worker may use is said before it loads anything, whatever the environment outside says."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from corpus import write_clip
from own_process_jobs import ThreadsRecipe, cpu_per_second, environment_at_start

from auricle.pipelines.score_files import score_files
from auricle.pipelines.work import cluster
from auricle.pipelines.work.isolation import run_isolated
from auricle.pipelines.work.own_process import run_each
from auricle.pipelines.work.threads import ONE_THREAD

CURATORS = ["signal", "snr", "reverb", "content"]


@pytest.fixture
def four_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user's shell may have it."""
    for name in ONE_THREAD:
        monkeypatch.setenv(name, "4")


@pytest.mark.usefixtures("four_threads")
def test_processes_of_their_own_begin_with_one_thread_and_leave_the_environment_as_it_was() -> None:
    assert list(run_each(environment_at_start, [0], died, 1)) == [ONE_THREAD]
    assert os.environ["OMP_NUM_THREADS"] == "4"


@pytest.mark.usefixtures("four_threads")
def test_arithmetic_in_a_process_of_its_own_uses_one_core() -> None:
    (busy,) = run_each(cpu_per_second, [0], died, 1)
    assert busy < 1.1, f"{busy:.2f} CPU-seconds a second"


@pytest.mark.usefixtures("four_threads")
def test_children_that_isolate_an_item_begin_with_one_thread() -> None:
    (result,) = run_isolated(ThreadsRecipe(), [{"key": "a"}])
    assert result.row["error_message"] == repr(ONE_THREAD)


def test_the_command_computes_on_one_thread_whatever_was_set_outside() -> None:
    script = (
        "import sys; sys.argv = ['auricle', 'schemas', '--help']\n"
        "from auricle.jobs import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "import os; import pyarrow; print(os.environ['OMP_NUM_THREADS'], pyarrow.cpu_count())"
    )
    env = os.environ | dict.fromkeys(ONE_THREAD, "4")
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"1 {os.cpu_count()}"


def test_workers_of_a_ray_that_others_started_begin_with_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_started_here", [])
    assert cluster.worker_options() == {"runtime_env": {"env_vars": ONE_THREAD}}


def test_scores_and_their_cost_do_not_depend_on_threads_set_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(2):
        write_clip(tmp_path / f"{seed}.wav", seed, seconds=20)
    costs: dict[str, float] = {}
    # a busy machine only ever lengthens: the least of a few tries is the cost
    for _ in range(8):
        tables = {}
        for threads in ("1", "4"):
            for name in ONE_THREAD:
                monkeypatch.setenv(name, threads)
            before = children_s()
            tables[threads] = score_files([tmp_path], curators=CURATORS, workers=1)
            costs[threads] = min(costs.get(threads, float("inf")), children_s() - before)
        assert tables["1"].equals(tables["4"])
        if costs["4"] < 1.1 * costs["1"]:
            break
    assert costs["4"] < 1.1 * costs["1"], costs


def children_s() -> float:
    """CPU seconds of child processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def died(job: int, exit_code: int | None, hung: object) -> Any:
    raise AssertionError((job, exit_code, hung))


def test_arrow_makes_tables_without_pandas_which_others_may_still_import() -> None:
    script = """
import sys
from auricle.pipelines.work.threads import arrow_without_pandas
arrow_without_pandas()
import pyarrow as pa
assert pa.Table.from_pylist([{"a": 1, "b": "x"}]).num_rows == 1
assert "pandas" not in sys.modules
import pandas
arrow_without_pandas()
assert pandas.DataFrame({"a": [1]}).shape == (1, 1)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
