"""What a diagnosis costs: CPU microseconds per code and per latent frame, and core-hours for 10 000 hours of audio.

    OMP_NUM_THREADS=1 python benchmarks/diagnostics_cost.py [--frames 40000] [--dims 64 512]

Codes are eight walks over 1024 entries. The counts are fitted on as many frames in both of two runs, of which the
second has five times as many to score: the difference is what a further code costs, the rest is the fit. The pool is
fitted for one fold of five, and timed apart. Latents are AR(1): half of them are fitted on, the others only scored.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from auricle.diagnostics.codes.codes_diagnosis import diagnose_codes
from auricle.diagnostics.codes.members import check_clips
from auricle.diagnostics.estimates.jobs import Done, Here, Job
from auricle.diagnostics.latents.latents_diagnosis import diagnose_latents
from auricle.diagnostics.ngrams.code_store import CodeStore
from auricle.diagnostics.pool.pool_member import Pool, _FoldPool
from auricle.pipelines.diagnosis.diagnose import MAX_LATENT_FRAMES

BOOKS, ENTRIES, RATE, CLIP = 8, 1024, 75.0, 500
HOURS = 10_000
TRAINED = {"counts": 2_000_000, "pool": 500_000}
"""Frames on which a large corpus is fitted (`diagnose_codes`, `Pool`)."""
MORE = FOLDS = 5


def codes(frames: int) -> list[tuple[str, str, np.ndarray]]:
    rng = np.random.default_rng(0)
    steps = rng.integers(-20, 21, (frames // CLIP, BOOKS, CLIP))
    return [(f"{i:06d}", f"s{i % 40}", each) for i, each in enumerate(np.cumsum(steps, axis=2) % ENTRIES)]


def latents(frames: int, dim: int) -> list[tuple[str, str, np.ndarray]]:
    rng = np.random.default_rng(0)
    found = []
    for i in range(frames // CLIP):
        clip = rng.standard_normal((dim, CLIP))
        for t in range(1, CLIP):
            clip[:, t] += 0.9 * clip[:, t - 1]
        found.append((f"{i:06d}", f"s{i % 40}", clip.astype(np.float32)))
    return found


def cpu_s(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def of_counts(frames: int) -> tuple[float, float]:
    """(microseconds per further code, seconds of the fit on `frames` frames)."""
    spent = [
        cpu_s(lambda n=n: diagnose_codes(codes(n), RATE, ENTRIES, group_kind="speaker", max_train_frames=frames))
        for n in (frames, MORE * frames)
    ]
    per_code = (spent[1] - spent[0]) / ((MORE - 1) * frames * BOOKS)
    return per_code * 1e6, spent[0] - per_code * frames * BOOKS


def of_pool(frames: int) -> tuple[float, float]:
    """The same of the pool."""
    store, pool = CodeStore(ENTRIES), Pool(np.random.default_rng(1).standard_normal((BOOKS, ENTRIES, 32)))
    for clip in codes(frames):
        store.add(*clip)
    store.close()
    fold_of_clip = np.arange(len(store)) % FOLDS
    made: list[_FoldPool] = []
    fit = cpu_s(lambda: made.append(_FoldPool(pool, store, fold_of_clip, 0, check_clips(store, fold_of_clip)[1])))
    clips = np.flatnonzero(fold_of_clip == 0)
    scored = cpu_s(lambda: made[0].bits(clips))
    return scored / (store.lengths[clips].sum() * BOOKS) * 1e6, fit * FOLDS


@dataclass(frozen=True)
class InMemory:
    """`ClipSource`."""

    clips: dict[str, np.ndarray]

    def arrays(self, clips: Collection[str]) -> Iterator[tuple[str, np.ndarray]]:
        return ((key, self.clips[key]) for key in clips)


@dataclass
class Timed(Here):
    """Counts the CPU seconds of its jobs."""

    spent: list[float] = field(default_factory=list)

    def __call__(self, work: Callable[[Job], Done], jobs: Sequence[Job]) -> Iterator[Done]:
        for job in jobs:
            begin = time.process_time()
            done = work(job)
            self.spent.append(time.process_time() - begin)
            yield done


def of_latents(frames: int, dim: int) -> tuple[float, float]:
    """(microseconds per further frame, seconds of the fit on `frames` frames)."""
    given, jobs = latents(2 * frames, dim), Timed()
    further = InMemory({key: each for key, _, each in given})
    options = {"group_kind": "speaker", "max_frames": frames, "further": further, "jobs": jobs}
    whole = cpu_s(lambda: diagnose_latents(given, 12.5, **options))
    return sum(jobs.spent) / frames * 1e6, whole - sum(jobs.spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=40_000)
    parser.add_argument("--dims", type=int, nargs="*", default=[64, 512])
    options = parser.parse_args()
    frames, total = options.frames, HOURS * 3600 * RATE * BOOKS
    print(f"| codes {BOOKS} x {ENTRIES}, {RATE:g} Hz | us a code | fit, s at {frames} frames | {HOURS} h, core-hours |")
    print("|---|---|---|---|")
    for name, (each, fit) in (("counts", of_counts(frames)), ("pool", of_pool(frames))):
        hours = (each * total / 1e6 + fit * TRAINED[name] / frames) / 3600
        print(f"| {name} | {each:.1f} | {fit:.0f} | {hours:.0f} |", flush=True)
    print(f"\n| latents | us a further frame | fit, s at {frames} frames | {HOURS} h at 12.5 Hz, core-hours |")
    print("|---|---|---|---|")
    for dim in options.dims:
        each, fit = of_latents(frames, dim)
        hours = (each / 1e6 * HOURS * 3600 * 12.5 + fit * MAX_LATENT_FRAMES / frames) / 3600
        print(f"| D = {dim} | {each:.0f} | {fit:.0f} | {hours:.1f} |", flush=True)


if __name__ == "__main__":
    main()
