"""Memory and time of a code diagnosis whose corpus is many times what it holds.

    OMP_NUM_THREADS=1 python benchmarks/diagnostics_scale.py [--held 60000] [--times 2 8 32]

Codes are three walks over 256 entries, made from the clip's name whenever they are read, so nothing of them is stored.
Each size is a process of its own. A corpus of twice what is held is the base: further clips should cost time in
proportion, and memory only for their numbers, some 200 bytes a clip.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Collection, Iterator

import numpy as np

from auricle.diagnostics.codes import codes_diagnosis
from auricle.diagnostics.codes.further_clips import Corpus
from auricle.diagnostics.estimates.folds import sample_clips
from auricle.diagnostics.pool.pool_member import Pool

BOOKS, ENTRIES, RATE, CLIP, SPEAKERS = 3, 256, 75.0, 600, 40


class Walks:
    """`ClipSource` of clips that are made when they are read."""

    def codes(self, clips: Collection[str]) -> Iterator[tuple[str, np.ndarray]]:
        for key in clips:
            steps = np.random.default_rng(int(key)).integers(-8, 9, (BOOKS, CLIP))
            yield key, (np.cumsum(steps, axis=1) % ENTRIES).astype(np.uint16)

    def sound(self, clips: Collection[str]) -> None:
        return None


def one(held: int, times: int) -> None:
    """Diagnose a corpus of `times` as many frames as are held; prints frames, code rate, CPU seconds and peak MB."""
    codes_diagnosis.PIECE_FRAMES = held
    index = [(f"{i:08d}", f"s{i % SPEAKERS:02d}", CLIP) for i in range(held * times // CLIP)]
    chosen = sample_clips(index, held)
    groups = {key: group for key, group, _ in index if key in chosen}
    found = codes_diagnosis.diagnose_codes(
        ((key, groups[key], codes) for key, codes in Walks().codes(sorted(chosen))),
        RATE,
        ENTRIES,
        group_kind="speaker",
        members={"pool": Pool(np.random.default_rng(1).standard_normal((BOOKS, ENTRIES, 16)))},
        corpus=Corpus(index, Walks()),
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(found.num_frames, found.code_rate.computed, time.process_time(), peak)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held", type=int, default=60_000)
    parser.add_argument("--times", type=int, nargs="+", default=[2, 8, 32])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        one(options.held, options.one)
        return
    print("| corpus, frames | of them held | code rate, bit/s | CPU, s | us a further code | peak, MB |")
    print("|---|---|---|---|---|---|")
    first = None
    for times in options.times:
        command = [sys.executable, __file__, "--held", str(options.held), "--one", str(times)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        frames, rate, cpu, peak = map(float, done.stdout.split())
        first = first or (frames, cpu)
        more = (frames - first[0]) * BOOKS
        each = f"{(cpu - first[1]) / more * 1e6:.1f}" if more else "–"
        print(f"| {frames:,.0f} | {options.held:,} | {rate:.0f} | {cpu:.0f} | {each} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
