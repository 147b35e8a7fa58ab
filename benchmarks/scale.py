"""How the driver and the reader grow with the corpus: synthetic rows, no audio, no model.

    python benchmarks/scale.py sizes 10000 100000 1000000      # one table per operation, time and peak memory
    python benchmarks/scale.py nights --nights 365 --clips 5   # files, parts and units after many nights
    python benchmarks/scale.py listing 100000                  # files in one folder
    python benchmarks/scale.py idle 100000                     # `auricle run` on real files, none of them new

Every operation runs in a process of its own, so that its peak is its own. The dataset is made once per size: clips
with the score columns of four curators, pointers into shards of two representations. Shards are holes of the right
size: nothing here reads samples. The listing of the sources is made up (`listing` measures the real one).
"""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from auricle.extractors.registry import describe_all
from auricle.loaders.diff import diff
from auricle.loaders.layout import clips_path, recordings_path, shard_path, version_path
from auricle.loaders.parts import write_part
from auricle.loaders.pull import plan_pull
from auricle.loaders.store import Store
from auricle.loaders.version import numbers, open_version
from auricle.pipelines import ingest
from auricle.pipelines.assemble import ROWS_PER_PART
from auricle.pipelines.document import curator_entry, inputs_digest
from auricle.pipelines.gate import judge
from auricle.pipelines.listing import FILES, ROWS_PER_BATCH, list_sources
from auricle.pipelines.missing import curators_of
from auricle.pipelines.plan import plan
from auricle.pipelines.probe import segmentation_fingerprint
from auricle.pipelines.run import run
from auricle.pipelines.state import open_state
from auricle.schemas.config import Gate, RunConfig, Source
from auricle.schemas.keys import sha256_bytes
from auricle.schemas.score import ScoreColumn
from auricle.schemas.tables import RECORDINGS, clip_schema
from auricle.schemas.version import Counts, RepresentationEntry, Shard, VersionDocument

CURATORS = ("dnsmos", "signal", "snr", "vad")
RATE = 16_000
CLIP_SAMPLES = 6 * RATE
CODES_BYTES, LATENTS_BYTES = 1_500, 40_000
SHARD_BYTES = 64 << 20
OPERATIONS = ("unchanged", "plan", "publish", "diff", "pull-plan", "pull-plan-where", "open", "live", "gate")


def settings(root: Path, *, quiet_db: float = -100.0, curators: tuple[str, ...] = CURATORS) -> RunConfig:
    """The configuration of the synthetic dataset; a higher `quiet_db` drops more clips."""
    return RunConfig.model_validate(
        {
            "dataset": str(root / "data"),
            "sources": [{"path": str(root), "name": "synthetic", "language": "en", "transcripts": "transcripts.tsv"}],
            "score": {"curators": list(curators)},
            "keep": [{"score": "snr_db", "min": quiet_db, "reason": "noisy"}],
            "duplicates": {"near": False},
            "representations": [{"codec": "builtin", "kind": "codes"}, {"codec": "builtin", "kind": "latents"}],
        }
    )


def hexes(seed: int, first: int, count: int, digits: int) -> pa.Array:
    """`count` hexadecimal names, a function of seed and position."""
    places = np.arange(first, first + count, dtype=np.uint64)[:, None] * np.uint64(16)
    mixed = places + np.arange(digits // 16, dtype=np.uint64) + np.uint64(seed << 56)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    nibbles = (mixed[:, :, None] >> (np.arange(15, -1, -1, dtype=np.uint64) * np.uint64(4))) & np.uint64(15)
    letters = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[nibbles.astype(np.uint8)].reshape(-1)
    offsets = np.arange(0, (count + 1) * digits, digits, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(letters.tobytes()))


def listing(count: int) -> Iterator[pa.RecordBatch]:
    """The files of the synthetic source, in batches as `list_sources` gives them."""
    for first in range(0, count, ROWS_PER_BATCH):
        rows = min(ROWS_PER_BATCH, count - first)
        columns = {
            "source": pa.repeat("synthetic", rows),
            "source_rank": pa.repeat(pa.scalar(0, pa.int32()), rows),
            "path": paths(first, rows),
            "uri": paths(first, rows),
            "size": pa.repeat(pa.scalar(2 * CLIP_SAMPLES, pa.int64()), rows),
            "mtime_ns": pa.array(np.arange(first, first + rows, dtype=np.int64)),
            "etag": pa.nulls(rows, pa.string()),
        }
        yield pa.record_batch(columns, schema=FILES)


def padded(numbers: np.ndarray, digits: int) -> pa.Array:
    return pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), digits, "0")


def paths(first: int, count: int) -> pa.Array:
    at = np.arange(first, first + count, dtype=np.int64)
    return pc.binary_join_element_wise("speaker", padded(at % 997, 3), "/", padded(at, 9), ".wav", "")


def texts(first: int, count: int) -> pa.Array:
    """What is said in each clip: about 80 bytes, no two alike."""
    at = padded(np.arange(first, first + count, dtype=np.int64), 9)
    return pc.binary_join_element_wise("this is what was said in the clip of the number", at, "and nothing more", " ")


def write_labels(root: Path, count: int) -> None:
    """transcripts.tsv of the synthetic source."""
    schema = pa.schema([("file", pa.string()), ("speaker", pa.string()), ("transcript", pa.string())])
    # pyarrow would quote the header, which a .tsv takes literally
    style = pacsv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with (root / "transcripts.tsv").open("wb") as sink:
        sink.write("\t".join(schema.names).encode() + b"\n")
        with pacsv.CSVWriter(sink, schema, write_options=style) as file:
            for first in range(0, count, ROWS_PER_PART):
                rows = min(ROWS_PER_PART, count - first)
                columns = [paths(first, rows), speakers(first, rows), texts(first, rows)]
                file.write_table(pa.table(columns, schema=schema))


def speakers(first: int, count: int) -> pa.Array:
    return pc.utf8_slice_codeunits(paths(first, count), 0, 10)


@contextlib.contextmanager
def made_up(count: int, new: int = 0) -> Iterator[None]:
    """Sources list these files; none of them is there, so a pass that has units is a mistake of the benchmark."""
    with (
        mock.patch.object(ingest, "list_sources", side_effect=lambda *_: listing(count + new)),
        mock.patch("auricle.pipelines.run.ray_session", side_effect=AssertionError("nothing was to be computed")),
    ):
        yield


def scores(columns: tuple[ScoreColumn, ...], fingerprint: str, inputs: pa.Array, rng: np.random.Generator) -> pa.Array:
    count = len(inputs)
    values: list[pa.Array] = [pa.repeat(fingerprint, count), inputs, pa.nulls(count, pa.string())]
    kinds: dict[str, Callable[[str], pa.Array]] = {
        "float32": lambda name: pa.array(plausible(name, count, rng).astype(np.float32)),
        "int32": lambda _: pa.array(rng.integers(0, 99, count, dtype=np.int32)),
        "bool": lambda _: pa.array(rng.random(count) < 0.5),
        "string": lambda _: pa.repeat("gated", count),
        "binary": lambda _: pa.repeat(pa.scalar(b"x" * 64, pa.binary()), count),
    }
    values += [kinds[c.dtype](c.name) for c in columns]
    names = ["fingerprint", "inputs", "reason", *(c.name for c in columns)]
    return pa.StructArray.from_arrays(values, names=names)


def plausible(name: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """Values that the gate believes: shares in [0, 1], opinion scores in [1, 5], frequencies in Hz."""
    if name.endswith("_ratio"):
        return rng.random(count)
    if name.startswith("dnsmos"):
        return 1 + 4 * rng.random(count)
    return rng.random(count) * 8000 if name.endswith("_hz") else rng.normal(20, 8, count)


def make(root: Path, count: int) -> None:
    """Version 1 with `count` clips, one per recording."""
    write_labels(root, count)
    config = settings(root)
    store = Store(config.dataset, create=True)
    curators, specs = curators_of(config), describe_all(config.representations)
    schema = clip_schema({c.name: c.columns for c in curators}, [s.name for s in specs])
    sizes = {s.name: CODES_BYTES if s.is_codes else LATENTS_BYTES for s in specs}
    shards: dict[str, list[Shard]] = {s.name: [] for s in specs}
    clips, recordings = [], []
    for first in range(0, count, ROWS_PER_PART):
        rows = min(ROWS_PER_PART, count - first)
        rng = np.random.default_rng(first)
        recording, path, text = hexes(1, first, rows, 64), paths(first, rows), texts(first, rows)
        same: dict[str, Any] = {
            "clip_hash64": pa.array(np.arange(first, first + rows, dtype=np.int64)),
            "clip": hexes(2, first, rows, 32), "group": hexes(3, first, rows, 32), "recording": recording,
            "source": "synthetic", "path": path, "channel": 0, "num_channels": 1, "sample_rate": RATE, "start": 0,
            "end": CLIP_SAMPLES, "duration_s": CLIP_SAMPLES / RATE, "pcm_sha256": hexes(4, first, rows, 64),
            "transcript": text, "transcript_sha256": sha256_of(text), "speaker": speakers(first, rows),
            "label_source": pc.binary_join_element_wise("synthetic", path, "/"), "label_conflict": False,
            "language": "en", "status": "kept", "reasons": pa.array([[]] * rows, pa.list_(pa.string())),
            "introduced": 1,
        }  # fmt: skip
        for curator in curators:
            read = "|".join({"language": "en"}.get(i, "") for i in curator.inputs)
            same[curator.name] = scores(curator.columns, curator.fingerprint, pa.repeat(read, rows), rng)
        for spec in specs:
            nbytes, held = sizes[spec.name], shards[spec.name]
            same[spec.name] = pointers(store, spec.name, spec.fingerprint, rows, nbytes, held, first)
        table = pa.table([_column(same.get(f.name), f, rows) for f in schema], schema=schema)
        order = [("path", "ascending"), ("clip", "ascending")]
        clips.append(write_part(store, table.sort_by(order), clips_path))
        alias = pa.StructArray.from_arrays(
            [pa.repeat("synthetic", rows), path, pa.repeat(pa.scalar(2 * CLIP_SAMPLES, pa.int64()), rows),
             pa.array(np.arange(first, first + rows, dtype=np.int64)), pa.nulls(rows, pa.string())],
            names=["source", "path", "size", "mtime_ns", "etag"],
        )  # fmt: skip
        facts = {
            "recording": recording, "size": 2 * CLIP_SAMPLES, "format": "WAV PCM_16", "sample_rate": RATE,
            "num_channels": 1, "num_samples": CLIP_SAMPLES, "status": "decoded",
            "aliases": pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32)), alias),
            "segmentation": segmentation_fingerprint(config.segment),
        }  # fmt: skip
        table = pa.table([_column(facts.get(f.name), f, rows) for f in RECORDINGS], schema=RECORDINGS)
        recordings.append(write_part(store, table.sort_by("recording"), recordings_path))
    with made_up(count), open_state(store) as state:
        ingest.load_sources(state, config)
        inputs_now = inputs_digest(state, config, curators, specs)
    document = VersionDocument(
        number=1,
        created="2026-01-01T00:00:00+00:00",
        config=config.model_dump(mode="json"),
        inputs=inputs_now,
        counts=Counts(files=count, decoded=count, clips=count, kept=count),
        curators={c.name: curator_entry(c) for c in curators},
        representations={s.name: RepresentationEntry(spec=s, shards=shards[s.name], live=count) for s in specs},
        clips=clips,
        recordings=recordings,
    )
    assert store.put_new(version_path(1), document.to_json())


def pointers(
    store: Store, name: str, fingerprint: str, rows: int, nbytes: int, shards: list[Shard], first: int
) -> pa.Array:
    """Pointers into shards that are holes of the right size."""
    per_shard = SHARD_BYTES // nbytes
    shas, offsets = [], []
    for at in range(0, rows, per_shard):
        held = min(per_shard, rows - at)
        sha256 = sha256_bytes(f"{name} {first + at}".encode())
        assert store.root is not None
        path = store.root / shard_path(name, sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(held * (nbytes + 2048))
        shards.append(Shard(sha256=sha256, num_bytes=held * (nbytes + 2048), rows=held, live=held))
        shas.append(pa.repeat(sha256, held))
        offsets.append(np.arange(held, dtype=np.int64) * (nbytes + 2048) + 512)
    columns = [
        pa.repeat(fingerprint, rows), pa.concat_arrays(shas), pa.array(np.concatenate(offsets)),
        pa.repeat(pa.scalar(nbytes, pa.int64()), rows), pa.repeat(pa.scalar(75, pa.int32()), rows),
        pa.array(np.arange(rows, dtype=np.int64)), pa.nulls(rows, pa.string()),
    ]  # fmt: skip
    return pa.StructArray.from_arrays(
        columns, names=["fingerprint", "shard", "offset", "nbytes", "num_frames", "crc32", "error"]
    )


def sha256_of(text: pa.Array) -> pa.Array:
    return pa.array([sha256_bytes(t.encode()) for t in text.to_pylist()])


def _column(value: Any, field: pa.Field, rows: int) -> pa.Array:
    if value is None:
        return pa.nulls(rows, field.type)
    if isinstance(value, pa.Array):
        return value.cast(field.type)
    return pa.repeat(pa.scalar(value, field.type), rows)


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
        found = open_version(dataset, 2).live("builtin-codes", columns=["clip", "duration_s", "tier"])
        return f"{found.num_rows} live rows in shard order with pointers"
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

    from auricle.pipelines.compact import compact

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


def known_files(root: Path, count: int) -> Path:
    """Make the dataset and its source files, holes of the right size; returns the configuration."""
    make(root, count)
    for folder in sorted({path.split("/")[0] for path in paths(0, count).to_pylist()}):
        (root / folder).mkdir()
    for i, path in enumerate(paths(0, count).to_pylist()):
        file = f"{root}/{path}"
        os.mknod(file, 0o644)
        os.truncate(file, 2 * CLIP_SAMPLES)
        os.utime(file, ns=(i, i))
    config = root / "auricle.yaml"
    # JSON is YAML
    config.write_text(settings(root).model_dump_json())
    return config


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
    verb = verbs.add_parser("nights")
    verb.add_argument("--nights", type=int, default=365)
    verb.add_argument("--clips", type=int, default=5)
    verbs.add_parser("listing").add_argument("count", type=int)
    verbs.add_parser("idle").add_argument("count", type=int)
    verb = verbs.add_parser("one")
    verb.add_argument("operation")
    verb.add_argument("root", type=Path)
    verb.add_argument("count", type=int)
    given = parser.parse_args()
    if given.verb == "sizes":
        sizes(given.counts, given.scratch)
    elif given.verb == "nights":
        nights(given.nights, given.clips)
    elif given.verb == "listing":
        real_listing(given.count)
    elif given.verb == "idle":
        idle(given.count)
    else:
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        started, cpu = time.monotonic(), time.process_time()
        found = operate(given.operation, given.root, given.count)
        wall, cpu = time.monotonic() - started, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak": peak, "base": base, "found": found}))


if __name__ == "__main__":
    main()
