"""What comes twice and what never comes when an epoch is broken off and gone on with: ours beside the rivals.

    /tmp/rivals/bin/python benchmarks/loader_resume.py          # the environment of `loader.py`

Every phase is processes of their own, one for each rank, joined by gloo. The first phase reads some batches and saves
the loader's state as its documentation says; the second loads it and reads to the end of the epoch. Counted over both:
clips that came more than once, clips that never came. webdataset has no state, and lhotse's sampler, which lives in
the workers when it reads Shar, gives none to the training process: both begin the epoch again, so that what was read
comes twice.
"""

# the rivals are installed where the benchmark runs, and untyped
# pyright: reportMissingImports=false
from __future__ import annotations

import argparse
import importlib.util
import json
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from loader_arms import ARMS, Ours, Rival, pairs
from loader_corpus import write_dataset

CLIPS, ROWS, MICROBATCHES = 200, 8, 4
STATEFUL = ("auricle", "mosaicml-streaming", "litdata")
CASES = {
    "same": ((2, 1, 8), (2, 1)),
    "workers 2 to 3": ((2, 1, 8), (3, 1)),
    "workers 2 to 0": ((2, 1, 8), (0, 1)),
    "world 2 to 1": ((0, 2, 4), (0, 1)),
    "world 1 to 2": ((0, 1, 8), (0, 2)),
    "world 2 to 4, with workers": ((2, 2, 4), (1, 4)),
    "within a step": ((2, 1, 5), (2, 1)),
}
"""Workers, world and batches of each rank before the break; workers and world after it."""
PATIENCE_S = 120


def loader_of(name: str, folder: str, workers: int, scratch: str) -> Any:
    """The arm's loader, of this rank."""
    job = {"folder": folder, "url": None, "kind": "codes", "rows": ROWS, "scratch": scratch}
    if name == "auricle":
        from auricle.loaders import Loader, Settings, TrainingData

        settings = Settings(batch_rows=ROWS, microbatches=MICROBATCHES)
        return Loader(TrainingData(folder, "bench-codes", settings), workers=workers)
    if name == "litdata":
        from litdata import StreamingDataLoader
    else:
        from streaming import StreamingDataLoader
    arm: Any = ARMS[name][1]()
    dataset = arm._open(job)
    if name == "litdata":
        # by default it drops where there are several ranks and does not where there is one, and refuses the change
        dataset.set_drop_last(False)
    return StreamingDataLoader(dataset, batch_size=ROWS, num_workers=workers, collate_fn=pairs)


def phase(given: dict[str, Any]) -> None:
    """One rank of one phase; prints the keys that it read, and keeps the state."""
    import torch

    torch.distributed.init_process_group("gloo", timeout=timedelta(seconds=PATIENCE_S))
    answers, sys.stdout = sys.stdout, sys.stderr
    rank = torch.distributed.get_rank()
    if rank == 0 and given["name"] == "mosaicml-streaming":
        from streaming.base.util import clean_stale_shared_memory

        clean_stale_shared_memory()
    torch.distributed.barrier()
    loader = loader_of(given["name"], given["folder"], given["workers"], given["scratch"])
    state = Path(given["state"])
    if given["batches"] is None:
        loader.load_state_dict(pickle.loads(state.read_bytes()))
    keys = []
    for read, batch in enumerate(loader, 1):
        keys += batch["keys"]
        if read == given["batches"]:
            break
    if given["batches"] is not None and rank == 0:
        state.write_bytes(pickle.dumps(loader.state_dict()))
    print(json.dumps(keys), file=answers, flush=True)
    torch.distributed.barrier()
    # the others may not have heard yet that all are here
    time.sleep(2)
    # workers that still read ahead are not waited for
    os._exit(0)


def ranks(name: str, folder: Path, scratch: Path, workers: int, world: int, batches: int | None) -> list[str]:
    """What all ranks of a phase read. Raises `RuntimeError` with the last line of the error of one that failed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(world):
        given = {"name": name, "folder": str(folder), "workers": workers, "batches": batches,
                 "state": str(scratch / "state"), "scratch": str(scratch / "copies")}  # fmt: skip
        env = {**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world),
               "LOCAL_WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
               "OMP_NUM_THREADS": "1"}  # fmt: skip
        command = [sys.executable, "-W", "ignore", __file__, "--phase", json.dumps(given)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env))
    keys: list[str] = []
    failed: list[str] = []
    try:
        for process in started:
            out, err = process.communicate(timeout=PATIENCE_S)
            if process.returncode:
                failed.append((err.strip().splitlines() or ["?"])[-1][:160])
            else:
                keys += json.loads(out.splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"no end within {PATIENCE_S} s") from error
    finally:
        for process in started:
            process.kill()
    if failed:
        # the others only say that a connection was closed
        raise RuntimeError(min(failed, key=lambda line: "gloo" in line))
    return keys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phase", help=argparse.SUPPRESS)
    parser.add_argument("--only", nargs="+", default=list(STATEFUL))
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    given = parser.parse_args()
    if given.phase:
        return phase(json.loads(given.phase))
    with tempfile.TemporaryDirectory(prefix="auricle-resume-") as scratch:
        table(Path(scratch), given.only, given.cases)
    return None


def table(scratch: Path, only: list[str], cases: list[str]) -> None:
    """Write the files, run the cases, print a line for each."""
    write_dataset(scratch / "auricle", CLIPS, 8, 25)
    here = [name for name in only if importlib.util.find_spec(ARMS[name][0])]
    for name in [name for name in here if name != "auricle"]:
        (scratch / name).mkdir()
        items = Ours().samples({"url": None, "folder": str(scratch / "auricle"), "kind": "codes"})()
        arm = ARMS[name][1]()
        assert isinstance(arm, Rival), f"{name} has no format of its own"
        arm.write(iter(items), scratch / name, 25)
    print(f"{CLIPS} clips, batches of {ROWS}, {MICROBATCHES} batches a step; twice / never")
    print(f"| case | {' | '.join(here)} |\n|-|{'-|' * len(here)}")
    for case in cases:
        (workers, world, batches), (workers_then, world_then) = CASES[case]
        words = []
        for name in here:
            try:
                first = ranks(name, scratch / name, scratch, workers, world, batches)
                rest = ranks(name, scratch / name, scratch, workers_then, world_then, None)
                counts = Counter(key for key in first + rest if key)
                words.append(f"{sum(n - 1 for n in counts.values())} / {CLIPS - len(counts)}")
            except RuntimeError as error:
                words.append(f"error: {error}")
        print(f"| {case} | {' | '.join(words)} |", flush=True)


if __name__ == "__main__":
    main()
