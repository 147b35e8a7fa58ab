"""Peak memory of workers and driver on a corpus and on one ten times larger.

    python benchmarks/memory.py [--clips 100] [--seconds 4]

Every clip has samples of its own (a seeded perturbation), or content keys would make one clip of them. Prints the
peak of any worker per pass at both sizes, and what each further clip costs the driver.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from auricle.pipelines.run import run
from auricle.schemas.config import RunConfig

RATE = 16000


def corpus(folder: Path, clips: int, seconds: float) -> None:
    """Clips that differ by low-level noise only."""
    folder.mkdir(parents=True)
    t = np.arange(int(seconds * RATE)) / RATE
    base = 0.2 * np.sin(2 * np.pi * 180 * t) * (np.sin(2 * np.pi * 2 * t) > 0)
    for i in range(clips):
        wave = base + np.random.default_rng(i).normal(0, 0.003, t.shape[0])
        soundfile.write(folder / f"{i:06d}.flac", wave, RATE)


def measure(raw: dict[str, Any], pipe: Any) -> None:
    """Run in a process of its own and send the peaks: per pass, and the driver's."""
    document = run(RunConfig.model_validate(raw)).version.document
    peaks = {s.name: s.peak_worker_bytes for s in document.stages if s.peak_worker_bytes}
    pipe.send((peaks, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, document.counts.clips))


def main() -> None:
    """Both sizes, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=4.0)
    args = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="auricle-memory-"))
    context = multiprocessing.get_context("spawn")
    found = []
    try:
        for factor in (1, 10):
            audio = root / f"audio{factor}"
            corpus(audio, args.clips * factor, args.seconds)
            raw = {
                "dataset": str(root / f"dataset{factor}"),
                "sources": [{"path": str(audio), "name": "noise"}],
                "score": {"curators": ["signal", "vad", "snr", "channels", "duplicates"]},
                "duplicates": {"near": False},
                "representations": [{"codec": "builtin", "kind": "codes"}, {"codec": "builtin", "kind": "latents"}],
                "gate": {"enabled": False},
                "workers": {"unit_s": 60},
            }
            here, there = context.Pipe()
            process = context.Process(target=measure, args=(raw, there))
            process.start()
            found.append(here.recv())
            process.join()
            peaks, driver, clips = found[-1]
            shown = ", ".join(f"{name} {peak / 2**20:.0f}" for name, peak in peaks.items())
            print(f"{clips} clips: worker peaks in MiB: {shown}; driver {driver / 2**20:.0f}", flush=True)
        (small, driver_small, n_small), (large, driver_large, n_large) = found
        for name in small:
            print(f"{name}: worker peak x{large[name] / small[name]:.3f} for 10x the clips (asked for: at most 1.10)")
        each = (driver_large - driver_small) / (n_large - n_small)
        print(f"driver: {each / 1024:.1f} KiB more per further clip")
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
