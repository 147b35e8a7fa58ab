"""What the default chain of curators costs, and which part of it is whose.

    python benchmarks/chain_cost.py [--clips 24] [--beside CHECKOUT]

Read recordings with their transcripts, scored by all default curators in their order, models loaded, decoding not
included. What a curator shares with an earlier one (speech probabilities, the acoustic network) counts for the earlier.
With `--beside`, another checkout's code takes turns with this one, since the machine's speed drifts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_data import DATA, RATE

from auricle.curators.registry import DEFAULT, build
from auricle.curators.training.mixtures import read_mono
from auricle.curators.training.transcript_cases import read_utterances
from auricle.curators.waveform import resample
from auricle.schemas.clip import Clip

ROUNDS = 3
ASKED = 30
CORPORA = ("librispeech_test_other", "ljspeech", "speechocean762")


def clips(count: int) -> list[Clip]:
    """New clips, nothing known of them yet, evenly of the corpora."""
    found = []
    for corpus in CORPORA:
        every = read_utterances(DATA / "speech" / corpus)
        for i in np.linspace(0, len(every) - 1, count // len(CORPORA)).astype(int):
            x = resample(*read_mono(every[i].path), RATE)
            found.append(Clip("", x, RATE, every[i].text, "en", every[i].speaker))
    return found


def spent(count: int) -> dict[str, float]:
    """CPU seconds of each curator on new clips of the corpora, least of `ROUNDS`; "" is the seconds of audio."""
    curators = build(list(DEFAULT), {})
    for curator in curators:
        curator.score(clips(3)[:1])
    found: dict[str, list[float]] = {c.name: [] for c in curators}
    for _ in range(ROUNDS):
        batch = clips(count)
        for curator in curators:
            started = time.process_time()
            curator.score(batch)
            found[curator.name].append(time.process_time() - started)
    return {name: min(times) for name, times in found.items()} | {"": sum(c.duration_s for c in batch)}


def beside(trees: dict[str, Path], count: int, turns: int) -> dict[str, dict[str, float]]:
    """`spent` of several checkouts' code, in turns, each time in a process of its own: medians."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    with tempfile.TemporaryDirectory() as folder:
        for i, tree in enumerate(trees.values()):
            (Path(folder) / str(i)).mkdir()
            (Path(folder) / str(i) / "auricle").symlink_to(tree)
        for _ in range(turns):
            for i, name in enumerate(trees):
                own = {"PYTHONPATH": str(Path(folder) / str(i))}
                command = [sys.executable, __file__, "--clips", str(count), "--json"]
                answer = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=True)
                found[name].append(json.loads(answer.stdout.splitlines()[-1]))
    return {name: {key: median(f[key] for f in each) for key in each[0]} for name, each in found.items()}


def main() -> None:
    """Prints the table, of this checkout alone or beside another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--beside", type=Path, help="Another checkout")
    parser.add_argument("--turns", type=int, default=3, help="Runs of each, with --beside")
    parser.add_argument("--json", action="store_true", help="CPU seconds of this checkout's curators, one line")
    args = parser.parse_args()
    if args.json:
        print(json.dumps(spent(args.clips)))
        return
    trees = {"this checkout": Path(__file__).resolve().parents[1]}
    if args.beside:
        trees[str(args.beside)] = args.beside.resolve()
    for name, cpu_s in beside(trees, args.clips, args.turns if args.beside else 1).items():
        seconds = cpu_s.pop("")
        total = sum(cpu_s.values())
        speed = seconds / total
        print(f"{name}: {seconds:.0f} s of audio in {args.clips} clips, {speed:.1f} times real time on a core")
        print("| curator | CPU s per hour of audio | share |\n|---|---|---|")
        for curator, own_s in sorted(cpu_s.items(), key=lambda item: -item[1]):
            print(f"| {curator} | {3600 * own_s / seconds:.1f} | {100 * own_s / total:.0f} % |")
    print(f"asked for: {ASKED} times; load of this machine {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
