"""A first run over few clips: how long it takes beside its work, and where the rest goes.

    python benchmarks/start_up.py [--clips 60] [--audio FOLDER]

Runs `auricle run` as a process of its own on copies of `--clips` recordings (default: clips of the talking corpus of
`auricle demo`), with all default curators and the built-in codec. The work is what the same clips take in bare loops of
as many processes, models loaded: scoring and extraction, one after the other. Asked for: 1.5 times the work + 15 s.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FACTOR, START_S = 1.5, 15.0


def recordings(folder: Path | None, count: int, into: Path) -> list[Path]:
    """`count` recordings below `folder`, copied to `into`; spoken ones when no folder is given."""
    into.mkdir(parents=True)
    if folder is None:
        from auricle.jobs.demo.corpus import make_corpus

        folder = into.parent / "demo"
        make_corpus(folder)
    # the corpus of the demo holds a broken file on purpose, of which no bare loop says how long it is
    listed = sorted(p for p in folder.rglob("*") if p.suffix in (".wav", ".flac"))
    found = [p for p in listed if readable(p)][:count]
    return [Path(shutil.copy(path, into / f"{i:04d}{path.suffix}")) for i, path in enumerate(found)]


def readable(path: Path) -> bool:
    """Whether a file is audio that libsndfile opens."""
    import soundfile

    try:
        return int(soundfile.info(path).frames) > 0
    except soundfile.LibsndfileError:
        return False


def bare(paths: Sequence[Path], workers: int, names: Sequence[str] | None = None) -> dict[str, float]:
    """Seconds that scoring (by the curators `names`, default all that are by default) and extracting take on `workers`
    processes with their models loaded."""
    context = multiprocessing.get_context("spawn")
    barrier, spans = context.Barrier(workers), context.Queue()
    pool = [
        context.Process(target=_loop, args=(list(map(str, paths[i::workers])), names, barrier, spans))
        for i in range(workers)
    ]
    for process in pool:
        process.start()
    found = [spans.get() for _ in pool]
    for process in pool:
        process.join()
    return {name: max(f[name][1] for f in found) - min(f[name][0] for f in found) for name in found[0]}


def _loop(paths: list[str], names: Sequence[str] | None, barrier: Any, spans: Any) -> None:
    from auricle.curators.registry import build as curators
    from auricle.extractors.coding.registry import build as codecs
    from auricle.loaders.storage.store import Store  # noqa: F401  (part of what a worker has loaded)
    from auricle.pipelines.audio.clip_reader import read_clips
    from auricle.schemas.clip import Clip
    from auricle.schemas.config import RepresentationConfig
    from auricle.schemas.keys import sha256_file

    items = [
        {"key": path, "recording": sha256_file(Path(path)), "uri": path, "channel": 0, "start": 0, "end": frames(path)}
        for path in paths
    ]
    measuring = curators(names, {})
    extracting = codecs([RepresentationConfig(codec="builtin", kind=kind) for kind in ("codes", "latents")])
    clips = [clip for _, clip in read_clips(items) if isinstance(clip, Clip)]
    # the first clip loads what loads late
    for curator in measuring:
        curator.score(clips[:1])
    for extractor in extracting:
        extractor.extract(clips[0].waveform[None], clips[0].sample_rate)
    span: dict[str, tuple[float, float]] = {}
    barrier.wait()
    start = time.time()
    for first in range(0, len(clips), 16):
        for curator in measuring:
            curator.score(clips[first : first + 16])
    span["score"] = start, time.time()
    barrier.wait()
    start = time.time()
    for clip in clips:
        for extractor in extracting:
            extractor.extract(clip.waveform[None], clip.sample_rate)
    span["extract"] = start, time.time()
    spans.put(span)


def frames(path: str) -> int:
    """Samples of a file."""
    import soundfile

    return int(soundfile.info(path).frames)


def main() -> None:
    """Run it, then print the stages and what is between them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--audio", type=Path)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    root = Path(tempfile.mkdtemp(prefix="auricle-start-up-"))
    try:
        paths = recordings(args.audio, args.clips, root / "audio")
        seconds = sum(soundfile_seconds(path) for path in paths)
        work = bare(paths, args.workers)
        config = root / "night.yaml"
        config.write_text(
            f"dataset: {root / 'dataset'}\nsources: [{{path: {root / 'audio'}, language: en}}]\n"
            "representations: [{codec: builtin, kind: codes}, {codec: builtin, kind: latents}]\n"
        )
        began = time.time()
        with (root / "log").open("w") as log:
            night = subprocess.Popen([sys.executable, "-m", "auricle.jobs.cli", "run", str(config)], stderr=log)
            used = watched(night)
        took = time.time() - began
        print((root / "log").read_text().strip())
        if night.returncode:
            sys.exit(1)
        from auricle.loaders import open_version

        stages = {s.name: s for s in open_version(str(root / "dataset")).document.stages}
        total = sum(work.values())
        print(f"{len(paths)} clips, {seconds:.0f} s of audio, {args.workers} processes")
        for name, value in work.items():
            print(f"bare loop, {name:9} {value:6.1f} s")
        for name, stage in stages.items():
            print(f"stage {name:10} {stage.wall_s:6.1f} s, CPU {stage.cpu_s:6.1f} s in {stage.units} units")
        rest = took - sum(stage.wall_s for stage in stages.values())
        print(f"between stages   {rest:6.1f} s: the interpreter, listing, Ray's end")
        print(f"whole run        {took:6.1f} s")
        for name, cpu in sorted(used.items(), key=lambda pair: -pair[1]):
            print(f"CPU of {name:18} {cpu:6.1f} s")
        print(
            f"CPU of all       {sum(used.values()):6.1f} s: on quiet cores no run is shorter than this / their number"
        )
        print(f"asked for        {FACTOR * total + START_S:6.1f} s = {FACTOR} x {total:.1f} s + {START_S:g} s")
    finally:
        shutil.rmtree(root, ignore_errors=True)


def watched(run: subprocess.Popen[bytes]) -> dict[str, float]:
    """CPU seconds of a process and of all below it, by what they are, when it has ended."""
    tick = os.sysconf("SC_CLK_TCK")
    cpu: dict[int, tuple[str, float]] = {}
    while run.poll() is None:
        parents: dict[int, tuple[int, str, float]] = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                words = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                name = (entry / "cmdline").read_bytes().split(b"\0")
                said = b" ".join(name).decode(errors="replace")
                parents[int(entry.name)] = int(words[1]), said, (int(words[11]) + int(words[12])) / tick
        for pid in parents:
            above = pid
            while above in parents and above != run.pid:
                above = parents[above][0]
            if above == run.pid:
                # a process that has ended and is not waited for has no command line any more
                cpu[pid] = parents[pid][1] or cpu.get(pid, ("", 0.0))[0], parents[pid][2]
        time.sleep(0.25)
    found: dict[str, float] = {}
    for pid, (said, seconds) in cpu.items():
        kind = "the driver" if pid == run.pid else "workers" if "ray::" in said or "default_worker" in said else "Ray"
        found[kind] = found.get(kind, 0.0) + seconds
    return found


def soundfile_seconds(path: Path) -> float:
    """Duration of a file."""
    import soundfile

    return float(soundfile.info(path).duration)


if __name__ == "__main__":
    main()
