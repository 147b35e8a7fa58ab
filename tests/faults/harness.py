"""Kill drivers, workers and whole nodes at seeded random moments, and count what was lost, doubled or changed.

    python tests/faults/harness.py 500 [--seed 1]        # make faults N=500

Several Ray nodes run on this machine. A dataset is built by one undisturbed run. Then, again and again on fresh
datasets, the same command is run and disturbed: the driver is killed (a third of the time aimed at the publish step),
one of its workers, or a node under it; killed drivers are started again until the version is there. Every dataset is
compared with the undisturbed one. The last line is the proof.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "plugins")]
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(HERE.parent / "plugins"), *filter(None, [os.environ.get("PYTHONPATH")])]
)
os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
os.environ |= {"CHEAP_SLEEP_S": "0.05", "RAY_worker_niceness": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}

from corpus import write_corpus  # noqa: E402

CLIPS = 24
HOST = "127.0.0.2"
"""Loopback, but not the name that Ray replaces by the address of a network card."""
DISTURBANCES_PER_DATASET = 5
PUBLISH_S = 0.12
"""About how long the publish step of so small a run lasts."""
RESTARTS_PER_NODE = 3
"""A driver started while the cluster still counts a killed node as alive may attach to it and end again."""
PAUSE_S = 8.0
PATIENCE_S = 240.0


@dataclass
class Tally:
    """What happened over all datasets."""

    runs: int = 0
    kills: dict[str, int] = field(default_factory=lambda: {"driver": 0, "publish": 0, "worker": 0, "node": 0})
    lost: int = 0
    doubled: int = 0
    differing: int = 0

    @property
    def total(self) -> int:
        return sum(self.kills.values())

    def line(self) -> str:
        kinds = ", ".join(f"{name} {n}" for name, n in self.kills.items())
        return (
            f"{self.runs} runs, {self.total} kills ({kinds}): {self.lost} clips lost, {self.doubled} doubled, "
            f"{self.differing} shards or table parts that differ from the undisturbed run"
        )


class Machines:
    """Ray nodes on this machine that can be killed and added."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "include_dashboard": False, "node_ip_address": HOST},
        )
        self._nodes = [self._add(), self._add()]

    @property
    def address(self) -> str:
        return self._cluster.address

    def kill_one(self, rng: random.Random) -> None:
        """Kill a node that is not the head, and add another."""
        node = self._nodes.pop(rng.randrange(len(self._nodes)))
        self._cluster.remove_node(node, allow_graceful=False)
        self._nodes.append(self._add())

    def workers(self) -> list[int]:
        """Process ids of unit workers of these nodes."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                if (
                    b"ray::_UnitActor" in (entry / "cmdline").read_bytes()
                    and _parent(_parent(int(entry.name))) == os.getpid()
                ):
                    found.append(int(entry.name))
        return found

    def close(self) -> None:
        self._cluster.shutdown()

    def _add(self) -> Any:
        return self._cluster.add_node(num_cpus=1, node_ip_address=HOST)


def main() -> int:
    """Disturb until there were enough kills; 0 when nothing was lost, doubled or changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", type=int, nargs="?", default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    root = Path(tempfile.mkdtemp(prefix="auricle-faults-"))
    machines = Machines()
    try:
        write_corpus(root / "audio", CLIPS, seconds=0.2)
        tally = Tally()
        reference = root / "undisturbed"
        driver = _start(root, reference, machines)
        _wait(driver, lambda: any(reference.rglob("receipts/*/*.parquet")))
        lasted = time.monotonic()
        _finish(driver, reference)
        lasted = time.monotonic() - lasted
        print(f"undisturbed run: {lasted:.1f} s from its first receipt to its end", flush=True)
        while tally.total < args.kills:
            dataset = root / f"dataset{tally.runs}"
            _disturb(root, dataset, machines, rng, tally, lasted, args.kills - tally.total)
            _compare(reference, dataset, tally)
            shutil.rmtree(dataset)
            print(tally.line(), flush=True)
        return 0 if (tally.lost, tally.doubled, tally.differing) == (0, 0, 0) else 1
    finally:
        machines.close()
        shutil.rmtree(root, ignore_errors=True)


def _disturb(
    root: Path, dataset: Path, machines: Machines, rng: random.Random, tally: Tally, lasted: float, most: int
) -> None:
    """Run until the version is there, killing on the way; then run once more, which must change nothing."""
    planned = min(DISTURBANCES_PER_DATASET, most)
    # the first driver, too, may attach to a node that was killed at the end of the last dataset
    restarts = RESTARTS_PER_NODE if tally.kills["node"] else 0
    driver = _start(root, dataset, machines)
    tally.runs += 1
    while planned and driver.poll() is None:
        kind = rng.choice(["driver", "publish", "worker", "worker", "node"])
        if kind == "publish":
            _wait(
                driver,
                lambda: any((dataset / "shards").rglob("*.tar")) or any((dataset / "objects").rglob("*.parquet")),
            )
            time.sleep(rng.uniform(0, PUBLISH_S))
        else:
            _wait(driver, lambda: any(dataset.rglob("receipts/*/*.parquet")))
            time.sleep(rng.uniform(0, lasted / 2))
        if driver.poll() is not None:
            break
        if kind in ("driver", "publish"):
            driver.send_signal(signal.SIGKILL)
            driver.wait()
            driver = _start(root, dataset, machines)
            tally.runs += 1
        elif kind == "worker":
            workers = machines.workers()
            if not workers:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(workers), signal.SIGKILL)
        else:
            machines.kill_one(rng)
            restarts += RESTARTS_PER_NODE
        tally.kills[kind] += 1
        planned -= 1
    while restarts and _code(driver) != 0:
        # a driver attached to a node ends with it, as one on a lost machine would: the same command goes on, after a
        # pause like that of a scheduler, since the cluster counts the node as alive for a while
        restarts -= 1
        time.sleep(PAUSE_S)
        driver = _start(root, dataset, machines)
        tally.runs += 1
    _finish(driver, dataset)


def _start(root: Path, dataset: Path, machines: Machines) -> subprocess.Popen[bytes]:
    config = root / f"{dataset.name}.yaml"
    config.write_text(
        f"dataset: {dataset}\n"
        f"sources: [{{path: {root / 'audio'}, name: corpus, transcripts: transcripts.tsv}}]\n"
        "score: {curators: [loudness, words]}\n"
        "duplicates: {near: false}\n"
        "representations: [{codec: cheap, kind: codes}, {codec: cheap, kind: latents}]\n"
        "gate: {enabled: false}\n"
        "workers: {unit_clips: 2, num: 2}\n"
    )
    with (root / f"{dataset.name}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "auricle.jobs.cli", "run", str(config), "--quiet"],
            env=os.environ | {"RAY_ADDRESS": machines.address},
            stdout=log,
            stderr=log,
        )


def _code(driver: subprocess.Popen[bytes]) -> int:
    try:
        return driver.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        driver.kill()
        raise


def _finish(driver: subprocess.Popen[bytes], dataset: Path) -> None:
    if (code := _code(driver)) != 0:
        log = (dataset.parent / f"{dataset.name}.log").read_text()
        raise RuntimeError(f"the run ended with {code}:\n{log[-4000:]}")


def _wait(driver: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while driver.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError):
            if ready():
                return
        time.sleep(0.02)
    if driver.poll() is None:
        driver.kill()
        raise RuntimeError(f"a run stood still for {PATIENCE_S:g} s")


def _compare(reference: Path, dataset: Path, tally: Tally) -> None:
    from auricle.loaders import open_version

    expected, found = open_version(str(reference)), open_version(str(dataset))
    for name in expected.document.representations:
        keys = [s.key for s in found.samples(name)]
        tally.doubled += len(keys) - len(set(keys))
        tally.lost += len({s.key for s in expected.samples(name)} - set(keys))
    clips = found.clips(["clip"])["clip"].to_pylist()
    tally.doubled += len(clips) - len(set(clips))
    tally.lost += len(set(expected.clips(["clip"])["clip"].to_pylist()) - set(clips))
    for folder in ("shards", "objects"):
        names = {p.name for p in (reference / folder).rglob("*") if p.is_file()}
        tally.differing += len(names ^ {p.name for p in (dataset / folder).rglob("*") if p.is_file()})
    if found.document.number != 1:
        raise RuntimeError(f"{found.document.number} versions were published where one was due")


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


if __name__ == "__main__":
    sys.exit(main())
