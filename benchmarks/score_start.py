"""How long `auricle score` on one file takes, from the shell's prompt back to it.

    python benchmarks/score_start.py FILE [--runs 5] [--beside CHECKOUT]

Runs the command as a process of its own, `--runs` times, and prints medians: CPU seconds (user and system, of the
command and of the process that scores for it) and wall seconds. With `--beside`, runs of another checkout's code take
turns with these, so that both meet the same load of the machine. Two states of Python's cache of compiled modules are
timed: kept, as from a user's second run on, and not kept, as in images in which nothing may be written: then every
module is compiled, those of the standard library as well. Asked for: 3 s.
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
from statistics import median

ASKED_S = 3.0
HERE = Path(__file__).resolve().parents[1]


def used(file: Path, package: Path, cache: Path | None) -> tuple[float, float]:
    """CPU and wall seconds of one command. package: folder with `auricle` in it. cache: of compiled modules."""
    kept = {"PYTHONPYCACHEPREFIX": str(cache)} if cache else {"PYTHONDONTWRITEBYTECODE": "1"}
    # where nothing is written there may still be something to read
    kept |= {} if cache else {"PYTHONPYCACHEPREFIX": os.devnull}
    outside = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "auricle.jobs.cli", "score", str(file)],
        env=outside | kept | {"PYTHONPATH": str(package)}, stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall_s


def main() -> None:
    """Prints a line for each checkout and state of the cache."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--beside", type=Path, help="Another checkout")
    args = parser.parse_args()
    trees = {"this checkout": HERE} | ({str(args.beside): args.beside.resolve()} if args.beside else {})
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        packages: dict[str, Path] = {}
        for i, (name, tree) in enumerate(trees.items()):
            packages[name] = root / f"tree{i}"
            packages[name].mkdir()
            (packages[name] / "auricle").symlink_to(tree)
            used(args.file, packages[name], root / "cache")
        print("| code | compiled modules | CPU s | wall s |\n|---|---|---|---|")
        for state, cache in (("kept", root / "cache"), ("not kept", None)):
            spent: dict[str, list[tuple[float, float]]] = {name: [] for name in trees}
            for _ in range(args.runs):
                for name, package in packages.items():
                    spent[name].append(used(args.file, package, cache))
            for name, found in spent.items():
                cpu_s, wall_s = (median(values) for values in zip(*found, strict=True))
                print(f"| {name} | {state} | {cpu_s:.2f} | {wall_s:.2f} |")
    print(f"asked for: {ASKED_S:g} s; median of {args.runs} runs, load of this machine {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
