"""What the default chain of curators costs, and which part of it is whose.

    python benchmarks/chain_cost.py [--clips 24]

Read recordings with their transcripts, scored by all default curators in their order, models loaded, decoding not
included. What a curator shares with an earlier one (speech probabilities, the acoustic network) counts for the earlier.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_data import DATA, RATE

from auricle.curators.registry import DEFAULT, build
from auricle.curators.training.mixtures import read_mono
from auricle.curators.training.transcript_cases import read_utterances
from auricle.curators.waveform import resample
from auricle.schemas.clip import Clip

ROUNDS = 3
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


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=24)
    count = parser.parse_args().clips
    curators = build(list(DEFAULT), {})
    for curator in curators:
        curator.score(clips(3)[:1])
    spent = {c.name: [] for c in curators}
    for _ in range(ROUNDS):
        batch = clips(count)
        for curator in curators:
            started = time.process_time()
            curator.score(batch)
            spent[curator.name].append(time.process_time() - started)
    seconds = sum(c.duration_s for c in batch)
    best = {name: min(times) for name, times in spent.items()}
    total = sum(best.values())
    print(f"{len(batch)} clips, {seconds:.0f} s of audio: {seconds / total:.1f} times real time on one core")
    print("| curator | CPU s per hour of audio | share |\n|---|---|---|")
    for name, cpu_s in sorted(best.items(), key=lambda item: -item[1]):
        print(f"| {name} | {3600 * cpu_s / seconds:.1f} | {100 * cpu_s / total:.0f} % |")


if __name__ == "__main__":
    main()
