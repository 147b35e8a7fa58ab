"""How the driver and the reader grow with the corpus: synthetic rows, no audio, no model.

    python benchmarks/scale.py sizes 10000 100000 1000000      # one table per operation, time and peak memory
    python benchmarks/scale.py nights --nights 365 --clips 5   # files, parts and units after many nights
    python benchmarks/scale.py readers 10000000                # what a training reads: live rows, index, plans
    python benchmarks/scale.py listing 100000                  # files in one folder
    python benchmarks/scale.py idle 100000                     # `auricle run` on real files, none of them new
    python benchmarks/scale.py few 100000 --audio FOLDER       # the same with ten new recordings from a folder

Every operation runs in a process of its own, so that its peak is its own. The dataset is made once per size: clips
with the score columns of four curators, pointers into shards of two representations. Shards are holes of the right
size: nothing here reads samples. The listing of the sources is made up (`listing` measures the real one).
"""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scale_corpus import CURATORS, known_files, made_up, make, settings

from auricle.loaders.copies.diff import diff
from auricle.loaders.copies.pull import plan_pull
from auricle.loaders.plan.index import read_index
from auricle.loaders.plan.plan import make_plan
from auricle.loaders.plan.settings import Settings
from auricle.loaders.reading.version import numbers, open_version
from auricle.loaders.storage.layout import version_path
from auricle.loaders.storage.store import Store
from auricle.pipelines.listing.files import list_sources
from auricle.pipelines.plan import plan
from auricle.pipelines.publishing.gate import judge
from auricle.pipelines.run import run
from auricle.schemas.config import Gate
from auricle.schemas.source_config import Source

OPERATIONS = ("unchanged", "plan", "publish", "diff", "pull-plan", "pull-plan-where", "open", "live", "gate")
READERS = ("open", "live", "index", "epoch", "epoch-packed")


def operate(operation: str, root: Path, count: int) -> str:
    """Perform one operation; returns what it found, in a few words."""
    dataset = str(root / "data")
    if operation == "make":
        make(root, count)
        written = sum(p.stat().st_size for p in (root / "data/objects").rglob("*.parquet"))
        return f"{written / count:.0f} bytes of table per clip"
    if operation == "unchanged":
        with made_up(count):
            return run(settings(root)).status
    if operation == "plan":
        with made_up(count, count // 100):
            found = plan(settings(root, quiet_db=10, curators=(*CURATORS, "channels")))
        return f"{found.new_files} new files, {found.to_score['channels'][0]} clips to score, {found.flips} flips"
    if operation == "publish":
        with made_up(count):
            outcome = run(settings(root, quiet_db=10))
        return f"version {outcome.version.document.number}, {outcome.version.document.counts.dropped} dropped"
    if operation == "diff":
        return f"{sum(diff(dataset, 1, 2).flips.values())} flips"
    if operation == "pull-plan":
        return f"{plan_pull(dataset, ['builtin-codes'], 1).whole} shards whole"
    if operation == "pull-plan-where":
        return f"{plan_pull(dataset, ['builtin-codes'], 2, 'snr_db > 25').moved} samples packed"
    if operation == "open":
        table = open_version(dataset, 1).clips(["clip", "duration_s", "tier", "clip_hash64"])
        return f"{table.num_rows} rows of 4 columns"
    if operation == "live":
        found = open_version(dataset).live("builtin-codes", columns=["clip", "duration_s", "tier"])
        return f"{found.num_rows} live rows in shard order with pointers"
    if operation == "index":
        return f"{len(read_index(open_version(dataset), ['builtin-codes'], group='speaker'))} clips, 997 groups"
    if operation in ("epoch", "epoch-packed"):
        index = read_index(open_version(dataset), ["builtin-codes"])
        # the corpus has one length: give it those of speech, 1 to 30 s at 75 Hz
        lengths = (75 + index.key[:, 1] % np.uint64(2175)).astype(np.int32)
        index = replace(index, pointers=(replace(index.pointers[0], frames=lengths),))
        chosen = Settings(batch_tokens=32_768, microbatches=64)
        width = 4096 if operation == "epoch-packed" else None
        start = time.perf_counter()
        made = make_plan(index, replace(chosen, row_tokens=width), 0)
        seconds = time.perf_counter() - start
        return f"{made.steps} steps, padding efficiency {made.efficiency(width):.4f}; the plan alone {seconds:.1f} s"
    candidate, parent = open_version(dataset, 2), open_version(dataset, 1)
    return f"gate {judge(candidate.files(), parent.files(), Gate()).verdict}"


def measured(operation: str, root: Path, count: int) -> dict[str, Any]:
    """Wall and CPU seconds, peak bytes and words of one operation in a process of its own."""
    command = [sys.executable, __file__, "one", operation, str(root), str(count)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise SystemExit(f"{operation} at {count}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def sizes(counts: list[int], scratch: Path | None) -> None:
    """The table of docs/scale.md."""
    print(f"{os.cpu_count()} cores; peak is over what the imports take")
    print("| clips | operation | wall s | CPU s | CPU us per clip | peak MB | bytes per clip | |\n|-|-|-|-|-|-|-|-|")
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="auricle-scale-", dir=scratch) as folder:
            for operation in ("make", *OPERATIONS):
                _line(operation, count, measured(operation, Path(folder), count))


def readers(count: int, scratch: Path | None) -> None:
    """What a training does with the tables, before it reads a shard."""
    with tempfile.TemporaryDirectory(prefix="auricle-scale-", dir=scratch) as folder:
        for operation in ("make", *READERS):
            _line(operation, count, measured(operation, Path(folder), count))


def _line(operation: str, count: int, found: dict[str, Any]) -> None:
    peak, cpu = found["peak"] - found["base"], found["cpu_s"]
    print(
        f"| {count} | {operation} | {found['wall_s']:.1f} | {cpu:.1f} | {cpu / count * 1e6:.1f} | {peak / 1e6:.0f} "
        f"| {peak / count:.0f} | {found['found']} |",
        flush=True,
    )


def nights(count: int, clips: int) -> None:
    """`count` nights that each bring `clips` new files, then one compaction; the pipeline without Ray, cheap passes."""
    sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests/plugins")]
    import pytest
    from corpus import config, write_corpus  # pyright: ignore[reportMissingImports]
    from inprocess import without_ray  # pyright: ignore[reportMissingImports]

    from auricle.pipelines.upkeep.compact import compact

    print("| night | clips | s | files of the dataset | parts | shards | document kB | receipts = units = Ray blocks |")
    print("|-|-|-|-|-|-|-|-|")
    patch = pytest.MonkeyPatch()
    without_ray(patch)
    with tempfile.TemporaryDirectory(prefix="auricle-nights-") as folder:
        root = Path(folder)
        times: list[float] = []
        for night in range(1, count + 1):
            write_corpus(root / "audio", clips, first=(night - 1) * clips, seconds=0.1)
            started = time.monotonic()
            outcome = run(config(root / "audio", root / "data"))
            times.append(time.monotonic() - started)
            if night in (1, 2, 30, 90, 180, count):
                units = sum(stage.units for stage in outcome.version.document.stages)
                _night(root, str(night), night * clips, sum(times[-5:]) / len(times[-5:]), units)
        started = time.monotonic()
        compact(str(root / "data"))
        _night(root, "compact", count * clips, time.monotonic() - started, 0)
        started = time.monotonic()
        assert run(config(root / "audio", root / "data")).status == "unchanged"
        _night(root, "nothing new", count * clips, time.monotonic() - started, 0)
    patch.undo()


def _night(root: Path, name: str, clips: int, seconds: float, units: int) -> None:
    store = Store(str(root / "data"))
    document = open_version(store).document
    files = sum(1 for _ in store.list())
    shards = sum(len(entry.shards) for entry in document.representations.values())
    size = len(store.get(version_path(numbers(store)[-1]))) / 1000
    print(
        f"| {name} | {clips} | {seconds:.2f} | {files} | {len(document.clips)} | {shards} | {size:.1f} | {units} |",
        flush=True,
    )


def real_listing(count: int) -> None:
    """List `count` empty files in one folder."""
    with tempfile.TemporaryDirectory(prefix="auricle-listing-") as folder:
        for i in range(count):
            (Path(folder) / f"{i:09d}.wav").touch()
        started = time.monotonic()
        found = sum(batch.num_rows for batch in list_sources([Source(path=folder)], []))
        print(f"{found} files listed in {time.monotonic() - started:.2f} s")


IDLE = """
import sys
from auricle.jobs.cli import main
sys.argv = ["auricle", "run", sys.argv[1]]
try:
    main()
finally:
    print("loaded:", *(m for m in ("torch", "ray", "great_expectations", "onnxruntime") if m in sys.modules))
"""


FEW = """
import sys
from auricle.jobs.cli import main
from auricle.pipelines.publishing import gate_arrays
gate_arrays.SAMPLED = int(sys.argv[2])
sys.argv = ["auricle", "run", sys.argv[1], "--quiet"]
main()
"""
"""Arrays are looked at of new clips only: the known ones' shards are holes."""


def few(count: int, audio: Path, new: int = 10) -> None:
    """Seconds of a run that finds `new` recordings beside `count` known ones, and of the work that they are."""
    from start_up import bare, frames, readable

    with tempfile.TemporaryDirectory(prefix="auricle-few-") as folder:
        root, workers = Path(folder), os.cpu_count() or 1
        config = known_files(root, count)
        found = [p for p in sorted(audio.rglob("*")) if p.suffix in (".wav", ".flac") and readable(p)][:new]
        fresh = [Path(shutil.copy(path, root / f"new{i}{path.suffix}")) for i, path in enumerate(found)]
        work = sum(bare(fresh, workers, CURATORS).values())
        # the first start compiles the modules
        started([sys.executable, "-c", "import auricle.jobs.cli, auricle.pipelines.run"], f"{folder}/compiled")
        wall, cpu, _ = started([sys.executable, "-c", FEW, str(config), str(new)], f"{folder}/compiled")
        document = open_version(str(root / "data")).document
        for stage in document.stages:
            print(f"stage {stage.name:10} {stage.wall_s:6.1f} s, CPU {stage.cpu_s:6.1f} s, {stage.done} done")
        size = len(fresh), sum(frames(str(path)) for path in fresh)
        print(
            f"{size[0]} new recordings ({size[1]} samples) beside {count} known ones: {wall:.1f} s ({cpu:.1f} s of CPU)"
            f", {wall - work:.1f} s beyond the {work:.1f} s that bare loops on {workers} processes take"
        )


def idle(count: int, times: int = 3) -> None:
    """Seconds of `auricle run` on `count` known files, beyond the start of an interpreter; the best of some."""
    with tempfile.TemporaryDirectory(prefix="auricle-idle-") as folder:
        config = known_files(Path(folder), count)
        bare = [started([sys.executable, "-c", "pass"], f"{folder}/compiled") for _ in range(times)]
        found = [started([sys.executable, "-c", IDLE, str(config)], f"{folder}/compiled") for _ in range(times)]
        print(found[0][2].strip())
        wall = min(wall for wall, _, _ in found) - min(wall for wall, _, _ in bare)
        cpu = min(cpu for _, cpu, _ in found) - min(cpu for _, cpu, _ in bare)
        print(f"{count} known clips: {wall:.2f} s ({cpu:.2f} s of CPU) beyond the start of the interpreter")


def started(command: list[str], compiled: str) -> tuple[float, float, str]:
    """Wall and CPU seconds of a process, and what it printed.

    compiled: folder of compiled modules, which the first start fills.
    """
    # as installed, with compiled modules; the first start writes them
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": compiled}
    wall, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise SystemExit(f"{command}: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - wall, cpu, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("sizes")
    verb.add_argument("counts", type=int, nargs="+")
    verb.add_argument("--scratch", type=Path, help="where the datasets are made; default: the temporary folder")
    verb = verbs.add_parser("readers")
    verb.add_argument("count", type=int)
    verb.add_argument("--scratch", type=Path, help="where the dataset is made; default: the temporary folder")
    verb = verbs.add_parser("nights")
    verb.add_argument("--nights", type=int, default=365)
    verb.add_argument("--clips", type=int, default=5)
    verbs.add_parser("listing").add_argument("count", type=int)
    verbs.add_parser("idle").add_argument("count", type=int)
    verb = verbs.add_parser("few")
    verb.add_argument("count", type=int)
    verb.add_argument("--audio", type=Path, required=True, help="folder of recordings, of which the first ten are new")
    verb = verbs.add_parser("one")
    verb.add_argument("operation")
    verb.add_argument("root", type=Path)
    verb.add_argument("count", type=int)
    given = parser.parse_args()
    if given.verb == "sizes":
        sizes(given.counts, given.scratch)
    elif given.verb == "readers":
        readers(given.count, given.scratch)
    elif given.verb == "nights":
        nights(given.nights, given.clips)
    elif given.verb == "listing":
        real_listing(given.count)
    elif given.verb == "idle":
        idle(given.count)
    elif given.verb == "few":
        few(given.count, given.audio)
    else:
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        started, cpu = time.monotonic(), time.process_time()
        found = operate(given.operation, given.root, given.count)
        wall, cpu = time.monotonic() - started, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak": peak, "base": base, "found": found}))


if __name__ == "__main__":
    main()
