"""Extraction, measured: speed against upstream's loops, cost of further views, codes that fast modes change, length,
and (only when asked for) whether `torch.compile` would be faster and exact.

    python benchmarks/extraction.py                                  seeded weights, synthetic clips, all sections
    python benchmarks/extraction.py --codec mimi --only speed views
    python benchmarks/extraction.py --only compile                   needs a C++ compiler
    python benchmarks/extraction.py --weights mimi= encodec24=       the published weights, once fetched

Every ratio compares arms of one run on one machine, rounds alternating, median. Seeded weights have the arithmetic of
trained ones but not their values: shares of changed codes measured with them do not predict trained weights.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from extraction_arms import config, run_arm, run_pipeline

from auricle.extractors.coding import registry
from auricle.extractors.coding.inference import environment, inference
from auricle.extractors.coding.packing import extract_many
from auricle.extractors.coding.resample import resample
from auricle.pipelines.work.cluster import ray_session
from auricle.schemas.config import RepresentationConfig

SECTIONS = ("speed", "views", "modes", "long")
BLOCK_S = 2
"""What the exact mode convolves at a time."""
NATIVE = {
    "mimi": [
        {"kind": "codes"},
        {"kind": "latents"},
        {"kind": "latents", "rate_hz": 25.0},
        {"kind": "seanet", "rate_hz": 200.0},
        {"kind": "quantized"},
    ],
    "encodec24": [
        {"kind": "codes"},
        {"kind": "latents"},
        {"kind": "latents", "rate_hz": 25.0},
        {"kind": "latents", "rate_hz": 12.5},
        {"kind": "quantized"},
    ],
    "encodec48": [{"kind": "codes"}, {"kind": "latents"}, {"kind": "quantized"}, {"kind": "scales"}],
}


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory() as folder:
        clips = sorted(Path(args.audio).rglob("*.flac"))[: args.clips] if args.audio else synthetic(Path(folder), args)
        seconds = sum(soundfile.info(path).duration for path in clips)
        import torch

        print(f"{environment()}, gpu: {torch.cuda.is_available()}, {multiprocessing.cpu_count()} cores")
        print(f"{len(clips)} clips, {seconds:.0f} s, {'recordings' if args.audio else 'synthetic'}\n")
        for codec in args.codec:
            weights = args.weights.get(codec, "seed:0")
            note = " (untrained: seeded weights)" if weights.startswith("seed:") else ""
            print(f"== {codec}, weights {weights or 'published'}{note}")
            for section in args.only:
                globals()[f"measure_{section}"](codec, weights, clips, seconds, args)
            print()


def measure_speed(codec: str, weights: str, clips: list[Path], seconds: float, args: Any) -> None:
    """Load, encode, save: the pipeline, and loops around our extractor and upstream's, and upstream's naive one."""
    label = {
        "pipeline": f"whole pipeline: Ray, {args.processes} workers, units, receipts",
        "ours": f"extractor, {args.processes} processes of 1 thread",
        "upstream": f"upstream encode, {args.processes} processes of 1 thread, inference mode",
        "naive": "naive loop: 1 process, a thread per core, no_grad",
    }
    wall: dict[str, list[float]] = {arm: [] for arm in label}
    cpu: dict[str, list[float]] = {arm: [] for arm in label}
    with ray_session(args.processes):
        for _ in range(args.rounds):
            for arm in label:
                if arm == "pipeline":
                    took, used = run_pipeline(codec, weights, clips, args.processes)
                else:
                    took, used = run_arm(arm, codec, weights, clips, 1 if arm == "naive" else args.processes)
                wall[arm].append(seconds / took)
                cpu[arm].append(seconds / used)
    for arm, text in label.items():
        spread = ", ".join(f"{rate:.1f}" for rate in wall[arm])
        print(
            f"speed  {text:64} {statistics.median(wall[arm]):5.1f} x real time by the clock (rounds {spread}), "
            f"{statistics.median(cpu[arm]):5.1f} s of audio per CPU-second"
        )
    for first, name in (("pipeline", "pipeline"), ("ours", "extractor")):
        for arm in ("upstream", "naive"):
            clock, used = (
                statistics.median(a / b for a, b in zip(rates[first], rates[arm], strict=True)) for rates in (wall, cpu)
            )
            print(f"speed  {name} / {arm}: {clock:.2f} by the clock, {used:.2f} by CPU time")


def measure_views(codec: str, weights: str, clips: list[Path], seconds: float, args: Any) -> None:
    """CPU time of each view alone and of all together, one process."""
    configs = [config(codec, weights, **view) for view in NATIVE[codec]]
    together = build(configs)
    alone = [type(together)([spec], together.codec) for spec in together.specs]
    used: dict[str, list[float]] = {}
    for _ in range(args.rounds):
        for name, extractor in [("together", together), *((e.specs[0].name, e) for e in alone)]:
            began = time.process_time()
            for audio, rate in loaded(clips[:8]):
                extractor.extract(audio, rate)
            used.setdefault(name, []).append(time.process_time() - began)
    median = {name: statistics.median(values) for name, values in used.items()}
    for name, value in median.items():
        print(f"views  {name:32} {value:6.2f} CPU-s for {len(clips[:8])} clips")
    costliest = max(value for name, value in median.items() if name != "together")
    print(f"views  all {len(configs)} together / costliest alone: {median['together'] / costliest:.2f}")


def build(configs: list[RepresentationConfig]) -> Any:
    """The one extractor of views of one codec."""
    (extractor,) = registry.build(configs)
    return extractor


def measure_modes(codec: str, weights: str, clips: list[Path], seconds: float, args: Any) -> None:
    """Share of codes that the fast modes change, and what they cost here."""
    audio = list(loaded(clips[: args.mode_clips]))
    wanted, base = [], 0.0
    for mode in ("exact", "batched", "bf16"):
        (extractor,) = registry.build([config(codec, weights, kind="codes", mode=mode)])
        name = extractor.specs[0].name
        list(extract_many(extractor, audio[:1]))
        began = time.process_time()
        results: list[Any] = [arrays for _, arrays in extract_many(extractor, audio)]
        used = time.process_time() - began
        if mode == "exact":
            wanted, base = results, used
            continue
        changed = sum(int((got[name] != want[name]).sum()) for got, want in zip(results, wanted, strict=True))
        total = sum(want[name].size for want in wanted)
        print(
            f"modes  {mode:8} {changed} of {total} codes differ from exact ({changed / total:.2%}), "
            f"{base / used:.2f} x the speed of exact on this CPU"
        )
    import torch

    print(
        f"modes  GPU: {'run with options: device: cuda' if torch.cuda.is_available() else 'not measured (none here)'}"
    )


def measure_compile(codec: str, weights: str, clips: list[Path], seconds: float, args: Any) -> None:
    """The encoder's convolutions over blocks of two seconds, compiled against as they are: values, codes, time."""
    import torch

    model: Any = build([config(codec, weights, kind="codes")]).codec.model
    rate, size = model.sample_rate, BLOCK_S * model.sample_rate
    audio = np.concatenate([resample(a, r, rate)[:1] for a, r in loaded(clips)], axis=1)
    count = audio.shape[1] // size
    blocks = torch.from_numpy(audio[:, : count * size].reshape(count, 1, 1, size).copy())
    blocks = blocks.expand(-1, -1, model.channels, -1).contiguous()
    compiled = torch.compile(model.encoder)
    torch.set_num_threads(1)
    with inference():
        began = cpu_s()
        compiled(blocks[0])
        print(f"compile  first call {cpu_s() - began:.1f} CPU-s, the compiler's included", flush=True)
        wanted, got = ([encoder(block) for block in blocks] for encoder in (model.encoder, compiled))
        differing = sum(int((a != b).sum()) for a, b in zip(wanted, got, strict=True))
        largest = max(float((a - b).abs().max()) for a, b in zip(wanted, got, strict=True))
        scale = float(torch.cat(wanted).std())
        print(
            f"compile  {differing} of {sum(a.numel() for a in wanted)} values differ, "
            f"by at most {largest:.1e} (standard deviation {scale:.1e})"
        )
        codes = [torch.cat([quantized(codec, model, latent) for latent in latents], -1) for latents in (wanted, got)]
        changed = int((codes[0] != codes[1]).sum())
        print(f"compile  {changed} of {codes[0].numel()} codes differ")
        used: dict[str, list[float]] = {"as it is": [], "compiled": []}
        for _ in range(args.rounds):
            for name, encoder in zip(used, (model.encoder, compiled), strict=True):
                began = time.process_time()
                for block in blocks:
                    encoder(block)
                used[name].append(time.process_time() - began)
    plain, fast = (statistics.median(values) for values in used.values())
    print(f"compile  {plain:.2f} CPU-s as it is, {fast:.2f} compiled: {plain / fast:.2f} x the speed of these layers")


def cpu_s() -> float:
    """CPU-seconds of this process and of its children that ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def quantized(codec: str, model: Any, latent: Any) -> Any:
    """Codes of the encoder's output."""
    if codec == "mimi":
        model.set_num_codebooks(8)
        (hidden,) = model.encoder_transformer(latent)
        return model.quantizer.encode(model.downsample(hidden))
    return model.quantizer.encode(latent, model.frame_rate, 6.0)


def measure_long(codec: str, weights: str, clips: list[Path], seconds: float, args: Any) -> None:
    """A long recording in pieces: the same as one pass where one pass still fits, and the memory it takes."""
    import torch

    extractor = build([config(codec, weights, kind=kind) for kind in ("codes", "latents")])
    model: Any = extractor.codec.model
    rate = extractor.codec.sample_rate
    audio = np.concatenate([resample(a, r, rate)[:1] for a, r in loaded(clips)], axis=1)
    audio = np.tile(audio, (extractor.codec.channels, -(-int(args.whole_s * rate) // audio.shape[1])))
    audio = audio[:, : int(args.whole_s * rate)]
    got = extractor.extract(audio, rate)
    with inference():
        if codec == "mimi":
            model.set_num_codebooks(extractor.specs[0].rows)
            codes = model.encode(torch.from_numpy(audio)[None])[0]
        else:
            model.set_target_bandwidth(6.0)
            codes = torch.cat([part for part, _ in model.encode(torch.from_numpy(audio)[None])], -1)[0]
    changed = int((codes.numpy() != got[extractor.specs[0].name]).sum())
    print(f"long   {args.whole_s:.0f} s in pieces against one upstream pass: {changed} of {codes.numel()} codes differ")
    before = peak_mib()
    for length in (args.long_s / 4, args.long_s):
        began, frames = time.process_time(), 0
        read = repeated(audio[:1])
        for block in extractor.stream(read, int(length * rate), rate):
            frames += next(iter(block.values())).shape[1]
        used = time.process_time() - began
        print(
            f"long   {length / 60:5.1f} min: {frames} frames, {length / used:.1f} x real time per CPU-second, "
            f"peak of the process {peak_mib():.0f} MiB ({before:.0f} before, from the pass of {args.whole_s:.0f} s)"
        )


def repeated(audio: np.ndarray) -> Any:
    """A reader of an endless recording that repeats `[C, T]`."""
    length = audio.shape[1]

    def read(start: int, end: int) -> np.ndarray:
        return np.take(audio, np.arange(start, end) % length, axis=1)

    return read


def peak_mib() -> float:
    """High-water mark of this process's resident memory, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def loaded(clips: list[Path]) -> Iterator[tuple[np.ndarray, int]]:
    """`[C, T]` float32 and rate of each file."""
    for path in clips:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        yield audio.T, rate


def synthetic(folder: Path, args: Any) -> list[Path]:
    """Clips of 4 to 15 s at 16, 22.05 and 24 kHz: gliding harmonics in bursts over noise."""
    rng = np.random.default_rng(0)
    paths = []
    for index in range(args.clips):
        rate = int(rng.choice([16000, 22050, 24000]))
        time_s = np.arange(int(rng.uniform(4, 15) * rate)) / rate
        phase = 2 * np.pi * np.cumsum(120 + 60 * np.sin(2 * np.pi * rng.uniform(0.2, 1) * time_s)) / rate
        voice = sum(np.sin(k * phase) / k for k in range(1, 12)) * (np.sin(2 * np.pi * 3 * time_s) > -0.3)
        audio = 0.08 * voice + 0.01 * rng.standard_normal(len(time_s))
        paths.append(folder / f"clip{index:03d}.flac")
        soundfile.write(paths[-1], audio.astype(np.float32), rate)
    return paths


def arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codec", nargs="+", default=["mimi", "encodec24"], choices=list(NATIVE))
    parser.add_argument("--only", nargs="+", default=list(SECTIONS), choices=(*SECTIONS, "compile"))
    parser.add_argument("--weights", nargs="*", default=[], metavar="CODEC=WEIGHTS", help="default: seed:0 for each")
    parser.add_argument("--audio", help="folder of .flac files instead of synthetic clips")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--mode-clips", type=int, default=12)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--whole-s", type=float, default=75.0, help="longest one-pass reference, seconds")
    parser.add_argument("--long-s", type=float, default=600.0, help="length of the long recording, seconds")
    args = parser.parse_args()
    args.weights = dict(pair.split("=", 1) for pair in args.weights)
    return args


if __name__ == "__main__":
    main()
