"""Memory and time of a diagnosis whose corpus is many times what its models are fitted on.

    OMP_NUM_THREADS=1 python benchmarks/diagnostics_scale.py [--held 60000] [--times 2 8 32] [--dim 128]

Codes are three walks over 256 entries, or with --dim latents of so many dimensions, walks that turn back. They are
made from the clip's name whenever they are read, so nothing of them is stored. Each size is a process of its own. A
corpus of twice what is held is the base: further clips should cost time in proportion, and memory only for their
numbers, some 200 bytes a clip.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from auricle.diagnostics.codes import codes_diagnosis
from auricle.diagnostics.estimates.folds import held_clips, sample_clips
from auricle.diagnostics.estimates.pieces import Corpus
from auricle.diagnostics.latents import latents_diagnosis
from auricle.diagnostics.pool.pool_member import Pool

BOOKS, ENTRIES, RATE, CLIP, SPEAKERS = 3, 256, 75.0, 600, 40


class Walks:
    """`CodeSource` of clips that are made when they are read."""

    def arrays(self, clips: Collection[str]) -> Iterator[tuple[str, np.ndarray]]:
        for key in clips:
            steps = np.random.default_rng(int(key)).integers(-8, 9, (BOOKS, CLIP))
            yield key, (np.cumsum(steps, axis=1) % ENTRIES).astype(np.uint16)

    def sound(self, clips: Collection[str]) -> None:
        return None


@dataclass(frozen=True)
class Latents:
    """`ClipSource` of `[dim, CLIP]` first-order autoregressions; making one costs little beside scoring it."""

    dim: int

    def arrays(self, clips: Collection[str]) -> Iterator[tuple[str, np.ndarray]]:
        for key in sorted(clips):
            noise = np.random.default_rng(int(key)).standard_normal((self.dim, CLIP), dtype=np.float32)
            yield key, lfilter([1.0], [1.0, -0.8], noise, axis=1).astype(np.float32)


def index_of(held: int, times: int) -> list[tuple[str, str, int]]:
    return [(f"{i:08d}", f"s{i % SPEAKERS:02d}", CLIP) for i in range(held * times // CLIP)]


def said(frames: int, value: float | None) -> None:
    """What a process ends with."""
    print(frames, value, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def of_latents(held: int, times: int, dim: int) -> None:
    """Diagnose a corpus of `times` as many frames as are held; prints frames, gain, CPU seconds and peak MB."""
    index = index_of(held, times)
    group, source = {key: group for key, group, _ in index}, Latents(dim)
    chosen = sorted(held_clips(index, held, group_kind="speaker"))
    found = latents_diagnosis.diagnose_latents(
        lambda: ((key, group[key], each) for key, each in source.arrays(chosen)),
        RATE,
        group_kind="speaker",
        max_frames=held,
        index=index,
        further=source,
    )
    said(found.num_frames, found.pred_gain.computed)


def of_codes(held: int, times: int) -> None:
    """Diagnose a corpus of `times` as many frames as are held; prints frames, code rate, CPU seconds and peak MB."""
    codes_diagnosis.PIECE_FRAMES = held
    index = index_of(held, times)
    chosen = sample_clips(index, held)
    groups = {key: group for key, group, _ in index if key in chosen}
    found = codes_diagnosis.diagnose_codes(
        ((key, groups[key], codes) for key, codes in Walks().arrays(sorted(chosen))),
        RATE,
        ENTRIES,
        group_kind="speaker",
        members={"pool": Pool(np.random.default_rng(1).standard_normal((BOOKS, ENTRIES, 16)))},
        corpus=Corpus(index, Walks()),
    )
    said(found.num_frames, found.code_rate.computed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held", type=int, default=60_000)
    parser.add_argument("--times", type=int, nargs="+", default=[2, 8, 32])
    parser.add_argument("--dim", type=int, help="latents of so many dimensions instead of codes")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        of_latents(options.held, options.one, options.dim) if options.dim else of_codes(options.held, options.one)
        return
    what, unit, per_frame = ("gain, nat/frame", "frame", 1) if options.dim else ("code rate, bit/s", "code", BOOKS)
    print(f"| corpus, frames | of them held | {what} | CPU, s | us a further {unit} | peak, MB |")
    print("|---|---|---|---|---|---|")
    first = None
    for times in options.times:
        command = [sys.executable, __file__, "--held", str(options.held), "--one", str(times)]
        command += ["--dim", str(options.dim)] if options.dim else []
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        frames, value, cpu, peak = map(float, done.stdout.split())
        first = first or (frames, cpu)
        more = (frames - first[0]) * per_frame
        each = f"{(cpu - first[1]) / more * 1e6:.1f}" if more else "–"
        print(f"| {frames:,.0f} | {options.held:,} | {value:.4g} | {cpu:.0f} | {each} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
