"""Training processes (torch.distributed, gloo) killed with -9 and resumed in another world: each clip exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import pytest
from dataset_factory import voices, write_version

from auricle.loaders.plan.settings import Settings
from auricle.loaders.training.data import TrainingData
from auricle.loaders.training.loader import Loader

pytestmark = pytest.mark.faults
TRAINING = """
import json, os, sys, time
import torch.distributed as dist
from auricle.loaders.plan.settings import Settings
from auricle.loaders.training.data import TrainingData
from auricle.loaders.training.loader import Loader

root, out, rank, world, workers, run = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:7])
dist.init_process_group("gloo", init_method=f"file://{out}/meet-{run}", rank=rank, world_size=world)
data = TrainingData(root, "toy-codes", Settings(seed=1, microbatches=4, batch_rows=3))
loader = Loader(data, workers=workers)
assert (loader.rank, loader.world) == (rank, world)
checkpoint = f"{out}/checkpoint.json"
if os.path.exists(checkpoint):
    loader.load_state_dict(json.load(open(checkpoint)))
with open(f"{out}/read-{run}-{rank}.jsonl", "w", buffering=1) as log:
    for batch in loader:
        log.write(json.dumps([batch["step"], batch["slot"], batch["keys"]]) + "\\n")
        if loader.step == batch["step"] + 1 and loader.epoch == 0:
            # the optimiser's step: all ranks have read theirs, then one saves
            dist.barrier()
            if rank == 0:
                json.dump(loader.state_dict(), open(checkpoint + ".part", "w"))
                os.replace(checkpoint + ".part", checkpoint)
            time.sleep(float(sys.argv[7]))
dist.destroy_process_group()
"""


def start(root: Path, out: Path, world: int, workers: int, run: int, pause_s: float) -> list[subprocess.Popen[bytes]]:
    command = [sys.executable, "-W", "ignore", "-c", TRAINING, str(root), str(out)]
    return [
        subprocess.Popen(
            [*command, str(rank), str(world), str(workers), str(run), str(pause_s)], env=os.environ, process_group=0
        )
        for rank in range(world)
    ]


def saved(out: Path) -> int:
    checkpoint = out / "checkpoint.json"
    return json.loads(checkpoint.read_text())["step"] if checkpoint.exists() else 0


def test_killed_ranks_resume_in_another_world_with_every_clip_once(tmp_path: Path) -> None:
    root, out = tmp_path / "data", tmp_path / "out"
    out.mkdir()
    write_version(str(root), voices(100))
    processes = start(root, out, 2, 1, 0, 0.3)
    deadline = time.monotonic() + 240
    while saved(out) < 2 and time.monotonic() < deadline:
        assert all(p.poll() is None for p in processes)
        time.sleep(0.05)
    for process in processes:
        # with its workers
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    behind = saved(out)
    plan = TrainingData(str(root), "toy-codes", Settings(seed=1, microbatches=4, batch_rows=3)).plan(0)
    assert 2 <= behind < plan.steps
    for process in start(root, out, 1, 0, 1, 0):
        assert process.wait(240) == 0
    lines = [
        (run, *json.loads(line))
        for run, rank in ((0, 0), (0, 1), (1, 0))
        for line in (out / f"read-{run}-{rank}.jsonl").read_text().splitlines()
    ]
    # what was read behind the checkpoint was never trained on, and is read again
    found = sorted((step, slot, keys) for run, step, slot, keys in lines if run == 1 or step < behind)
    data = TrainingData(str(root), "toy-codes", Settings(seed=1, microbatches=4, batch_rows=3))
    assert found == [(b["step"], b["slot"], b["keys"]) for b in Loader(data, rank=0, world=1)]
    keys = list(chain.from_iterable(keys for _, _, keys in found))
    assert len(keys) == len(set(keys)) == 100
