"""A recording of hours as one clip through the whole job: peak memory of the workers, speed, and crops out of it.

    python benchmarks/long_recording.py                                   3 hours, the built-in codec
    python benchmarks/long_recording.py --hours 0.5 --codec mimi          seeded weights
    python benchmarks/long_recording.py --curators signal                 with a pass over the audio that scores it
    python benchmarks/long_recording.py --each                            no job: curators one by one, in this process

The peak is each worker process's high-water mark of resident memory, models and libraries included.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from auricle.curators.registry import build
from auricle.extractors.coding import registry
from auricle.loaders.reading import crop
from auricle.pipelines.run import run
from auricle.schemas.clip import Clip
from auricle.schemas.config import RepresentationConfig, RunConfig
from auricle.schemas.time import resampled_length

BLOCK_S = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--rate", type=int, default=24_000)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--codec", default="builtin")
    parser.add_argument("--kinds", nargs="+", default=["codes", "latents"])
    parser.add_argument("--curators", nargs="*", default=[])
    parser.add_argument("--each", action="store_true")
    args = parser.parse_args()
    if args.each:
        score_each(args)
        return
    weights = {} if args.codec in ("builtin", "conversation", "features", "units") else {"weights": "seed:0"}
    views = [{"codec": args.codec, "kind": kind, **weights} for kind in args.kinds]
    with tempfile.TemporaryDirectory(prefix="auricle-long-") as folder:
        path = Path(folder) / "audio" / "long.flac"
        samples = write_recording(path, args)
        config = RunConfig.model_validate(
            {
                "dataset": f"{folder}/dataset",
                "sources": [{"path": str(path.parent)}],
                "score": {"curators": args.curators},
                "duplicates": {"exact": False, "near": False},
                "representations": views,
                "workers": {"num": 1},
            }
        )
        version = run(config).version
        document = version.document
        assert document.counts.kept == args.channels, document.failed_by_reason
        print(f"{args.hours:g} hours, {args.channels} x {args.rate} Hz, {path.stat().st_size >> 20} MiB of FLAC")
        for stage in document.stages:
            if stage.units:
                speed = f", {stage.audio_s / stage.cpu_s:.0f} s of audio per CPU-second" if stage.audio_s else ""
                print(f"{stage.name:8} peak of a worker {stage.peak_worker_bytes / 2**20:.0f} MiB{speed}")
        for view in views:
            check(version, RepresentationConfig.model_validate(view), path, samples, args)


def score_each(args: Any) -> None:
    """The process's own high-water mark while each curator scores the clip, one after the other (Linux)."""
    curators = build(args.curators or None)
    with tempfile.TemporaryDirectory(prefix="auricle-long-") as folder:
        path = Path(folder) / "audio" / "long.flac"
        write_recording(path, args)
        head, _ = soundfile.read(path, frames=30 * args.rate, dtype="float32")
        for curator in curators:
            curator.score([Clip("", head, args.rate, "a transcript", "en")])
        waveform, _ = soundfile.read(path, dtype="float32")
    clip = Clip("", waveform, args.rate, "a transcript", "en")
    print(f"{args.hours:g} hours, {args.rate} Hz, {waveform.nbytes >> 20} MiB of samples")
    for curator in curators:
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
        (row,) = curator.score([clip])
        print(f"{curator.name:10} peak {kib('VmHWM') >> 10} MiB, {row['reason'] or 'scored'}", flush=True)


def kib(field: str) -> int:
    """A field of this process's status, KiB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1])


def write_recording(path: Path, args: Any) -> int:
    """Gliding harmonics in bursts over noise, another minute every minute; returns the number of samples."""
    path.parent.mkdir()
    rng = np.random.default_rng(0)
    total = int(args.hours * 3600 * args.rate)
    time_s = np.arange(BLOCK_S * args.rate) / args.rate
    with soundfile.SoundFile(str(path), "w", args.rate, args.channels, "PCM_16") as file:
        for first in range(0, total, len(time_s)):
            phase = 2 * np.pi * np.cumsum(120 + 60 * np.sin(2 * np.pi * rng.uniform(0.2, 1) * time_s)) / args.rate
            voice = sum(np.sin(k * phase) / k for k in range(1, 6)) * (np.sin(2 * np.pi * 3 * time_s) > -0.3)
            noise = 0.01 * rng.standard_normal((len(time_s), args.channels))
            file.write((0.08 * voice[:, None] + noise)[: total - first].astype(np.float32))
    return total


def check(version: Any, config: RepresentationConfig, path: Path, samples: int, args: Any) -> None:
    """The array has a frame for every frame of audio, and its beginning is what the beginning alone gives."""
    (extractor,) = registry.build([config])
    (spec,) = extractor.specs
    (sample,) = list(version.samples(spec.name))[:1]
    frames = -(-resampled_length(samples, args.rate, spec.sample_rate) // spec.frame_size)
    assert sample.array.shape == (spec.rows, frames), (sample.array.shape, frames)
    head, _ = soundfile.read(path, frames=30 * args.rate, dtype="float32", always_2d=True)
    channels = args.channels if spec.channels > 1 else 1
    (wanted,) = extractor.extract(head.T[:channels], args.rate).values()
    # the last second of the piece misses what follows it
    got = crop(version, spec.name, sample.key, 0, 29 * args.rate)
    differing = int((got != wanted[:, : got.shape[1]]).sum())
    print(
        f"{spec.name}: {list(sample.array.shape)}, first 29 s: {differing} of {got.size} values differ from 30 s alone"
    )


if __name__ == "__main__":
    main()
