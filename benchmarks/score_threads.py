"""Whether `auricle score` computes on one thread whatever the environment says: CPU and wall time of the command with
OMP_NUM_THREADS unset, and with OMP_NUM_THREADS=1 outside, in turn; and whether the scores are the same.

    python benchmarks/score_threads.py ../shared/data/speech --files 60

Takes so many recordings of the folder, evenly spread over their sorted paths.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from auricle.pipelines.work.threads import ONE_THREAD

ENDINGS = {".wav", ".flac", ".mp3", ".opus", ".ogg"}
MODES = ("unset", "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    found = sorted(path for path in args.folder.rglob("*") if path.suffix in ENDINGS)
    paths = [found[i * len(found) // args.files] for i in range(args.files)]
    cpu: dict[str, list[float]] = {mode: [] for mode in MODES}
    print("| round | OMP_NUM_THREADS | CPU s | wall s |\n|-|-|-|-|")
    with tempfile.TemporaryDirectory(prefix="auricle-threads-") as folder:
        for number in range(args.rounds):
            for mode in MODES:
                cpu_s, wall_s = scored(paths, mode, Path(folder) / f"{mode}.parquet")
                cpu[mode].append(cpu_s)
                print(f"| {number + 1} | {mode} | {cpu_s:.1f} | {wall_s:.1f} |", flush=True)
        tables = [pq.read_table(Path(folder) / f"{mode}.parquet") for mode in MODES]
    ratio = sum(cpu["unset"]) / sum(cpu["1"])
    same = "equal" if tables[0] == tables[1] else "DIFFER"
    print(f"\n{args.files} files: {ratio:.3f} times the CPU unset; scores {same}")


def scored(paths: list[Path], mode: str, out: Path) -> tuple[float, float]:
    """CPU and wall seconds of one command, children included."""
    environment = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    if mode != "unset":
        environment["OMP_NUM_THREADS"] = mode
    command = [sys.executable, "-m", "auricle.jobs.cli", "score", *map(str, paths), "--out", str(out), "--quiet"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    after, wall_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall_s


if __name__ == "__main__":
    main()
