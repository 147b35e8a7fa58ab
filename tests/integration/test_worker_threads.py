"""Workers of a Ray that is started here begin with one thread, whatever the shell says."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from auricle.pipelines.work.threads import ONE_THREAD

pytestmark = pytest.mark.ray

SCRIPT = """
import os
from auricle.pipelines.work.cluster import ray_session, worker_options
with ray_session(1):
    import ray
    task = ray.remote(num_cpus=1, **worker_options())(lambda: os.environ["OMP_NUM_THREADS"])
    found = ray.get(task.remote())
    print(found, os.environ["OMP_NUM_THREADS"])
"""


def test_workers_begin_with_one_thread_and_the_driver_keeps_its_own() -> None:
    env = os.environ | dict.fromkeys(ONE_THREAD, "4")
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "4"]


POOL = """
import os, signal, sys
import pyarrow as pa
from auricle.loaders.storage.store import Store
from auricle.pipelines.work.pool import Pool
from auricle.pipelines.work.work_units import write_plan
from auricle.schemas.worker_config import Workers
from where_units_run import WhereRecipe

store, recipe = Store(sys.argv[1], create=True), WhereRecipe(0.05)
rows = [{"unit": i, "key": str(i)} for i in range(8)]
units = write_plan(store, "r", recipe, pa.Table.from_pylist(rows).to_reader())
with Pool(Workers(num=1)) as pool:
    for count, outcome in enumerate(pool.run(recipe, store, "r", units), start=1):
        print(count, flush=True)
        if sys.argv[2] == "killed" and count == 3:
            os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.parametrize(("how", "code"), [("to its end", 0), ("killed", 128 + signal.SIGTERM)])
def test_a_ray_that_starts_beside_the_driver_lives_as_long_as_the_pool(tmp_path: Path, how: str, code: int) -> None:
    """The kernel ends what a thread started when the thread ends; a scheduler's SIGTERM ends everything in order."""
    temporary = Path("/tmp") / f"auricle-pool-{os.getpid()}-{code}"
    command = [sys.executable, "-c", POOL, str(tmp_path / "store"), how]
    done = subprocess.run(
        command, env=os.environ | {"AURICLE_RAY_TMP": str(temporary)}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stderr
    assert len(done.stdout.split()) == (8 if code == 0 else 3)
    left = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if str(temporary).encode() in (entry / "cmdline").read_bytes():
                left.append(entry.name)
    assert not left
    shutil.rmtree(temporary, ignore_errors=True)
