"""Steady-state throughput of the extraction pass against a bare loop of as many processes, in one run.

    python benchmarks/throughput.py [--units 200] [--rounds 3] [--codec builtin]

Both read the same files and make the same representations with the same code, one thread per process. The pass is
timed from the first unit's start to the last receipt, the loop from its first clip to its last file; loading models
and starting Ray are printed apart. Rounds alternate; medians are quoted.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import soundfile

from auricle.extractors.coding.registry import build, describe_all
from auricle.loaders.storage.store import Store
from auricle.pipelines.passes.extract import ExtractRecipe
from auricle.pipelines.work.cluster import ray_session
from auricle.pipelines.work.pool import run_units
from auricle.pipelines.work.work_units import write_plan
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.keys import clip_key, sha256_file

RATE = 16000


def corpus(folder: Path, clips: int, seconds: float) -> list[Path]:
    """Distinct clips of modulated noise: what is said matters to no exact codec's speed."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    paths = []
    for i in range(clips):
        t = np.arange(int(seconds * RATE)) / RATE
        wave = 0.1 * np.sin(2 * np.pi * (100 + i) * t) * np.sin(2 * np.pi * 3 * t) + rng.normal(0, 0.01, t.shape[0])
        path = folder / f"{i:05d}.flac"
        soundfile.write(path, wave, RATE)
        paths.append(path)
    return paths


def bare(paths: Sequence[Path], configs: Sequence[RepresentationConfig], out: Path, workers: int) -> float:
    """Seconds from the first clip's start to the last file written, over `workers` processes."""
    context = multiprocessing.get_context("spawn")
    barrier, spans = context.Barrier(workers), context.Queue()
    out.mkdir()
    pool = [
        context.Process(target=_loop, args=(list(paths[i::workers]), list(configs), out, barrier, spans))
        for i in range(workers)
    ]
    for process in pool:
        process.start()
    found = [spans.get() for _ in pool]
    for process in pool:
        process.join()
    return max(end for _, end in found) - min(start for start, _ in found)


def _loop(paths: list[Path], configs: list[RepresentationConfig], out: Path, barrier: Any, spans: Any) -> None:
    extractors = build(configs)
    import torch

    torch.set_num_threads(1)
    barrier.wait()
    start = time.time()
    for path in paths:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
        for extractor in extractors:
            for name, array in extractor.extract(np.ascontiguousarray(wave.T), rate).items():
                buffer = io.BytesIO()
                np.save(buffer, array)
                (out / f"{path.stem}.{name}.npy").write_bytes(buffer.getvalue())
    spans.put((start, time.time()))


def units(
    paths: Sequence[Path], recordings: Sequence[str], recipe: ExtractRecipe, folder: Path, count: int, workers: int
) -> tuple[float, float]:
    """(seconds from the first unit's start to the last receipt, seconds from the call to that first start)."""
    store = Store(str(folder), create=True)
    names = ",".join(sorted(spec.name for spec in recipe.specs))
    rows = [
        {
            "unit": i * count // len(paths),
            "key": clip_key(recording, 0, 0, soundfile.info(path).frames),
            "recording": recording,
            "uri": str(path),
            "channel": 0,
            "start": 0,
            "end": soundfile.info(path).frames,
            "representations": names,
        }
        for i, (path, recording) in enumerate(zip(paths, recordings, strict=True))
    ]
    plan = write_plan(store, "bench", recipe, pa.Table.from_pylist(rows).to_reader())
    called = time.time()
    outcomes = list(run_units(recipe, store, "bench", plan, workers))
    assert sum(o.done for o in outcomes) == len(paths)
    assert not any(o.failed for o in outcomes)
    start = min(o.started_s for o in outcomes)
    return max(o.finished_s for o in outcomes) - start, start - called


def main() -> None:
    """Alternate both, print medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=200)
    parser.add_argument("--clips-per-unit", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--codec", default="builtin")
    parser.add_argument("--weights")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    configs = [RepresentationConfig(codec=args.codec, kind=kind, weights=args.weights) for kind in ("codes", "latents")]
    describe_all(configs)
    root = Path(tempfile.mkdtemp(prefix="auricle-throughput-"))
    try:
        paths = corpus(root / "audio", args.units * args.clips_per_unit, args.seconds)
        recordings = [sha256_file(path) for path in paths]
        audio_s = len(paths) * args.seconds
        recipe = ExtractRecipe(tuple(configs))
        loops, passes, starts = [], [], []
        begun = time.time()
        with ray_session(args.workers):
            ray_s = time.time() - begun
            for i in range(args.rounds):
                loops.append(bare(paths, configs, root / f"bare{i}", args.workers))
                took, start = units(paths, recordings, recipe, root / f"pass{i}", args.units, args.workers)
                passes.append(took)
                starts.append(start)
                print(
                    f"round {i + 1}: bare {audio_s / loops[-1]:.1f}x, pass {audio_s / took:.1f}x real time", flush=True
                )
        ratios = [loop / took for loop, took in zip(loops, passes, strict=True)]
        print(f"{args.units} units, {len(paths)} clips, {audio_s / 60:.1f} min, {args.codec}, {args.workers} processes")
        print(f"bare loop        {audio_s / statistics.median(loops):7.1f}x real time (median of {args.rounds})")
        print(f"extraction pass  {audio_s / statistics.median(passes):7.1f}x real time")
        print(f"ratio            {statistics.median(ratios):7.3f}  (asked for: at least 0.95)")
        print(
            f"start-up         Ray {ray_s:.1f} s once, workers with their models "
            f"{statistics.median(starts):.1f} s a pass"
        )
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
