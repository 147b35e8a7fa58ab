"""Workers of a Ray that is started here begin with one thread, whatever the shell says."""

from __future__ import annotations

import os
import subprocess
import sys

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
