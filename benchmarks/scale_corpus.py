"""The synthetic corpus of `scale.py`: a clip table of any size with shards that are holes, and sources made up.

One clip per recording, the score columns of four curators, pointers into shards of two representations.
"""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from auricle.extractors.coding.registry import describe_all
from auricle.loaders.storage.layout import clips_path, recordings_path, shard_path, version_path
from auricle.loaders.storage.parts import write_part
from auricle.loaders.storage.store import Store
from auricle.pipelines.listing.files import FILES, ROWS_PER_BATCH
from auricle.pipelines.passes.probe import segmentation_fingerprint
from auricle.pipelines.publishing.assemble import ROWS_PER_PART
from auricle.pipelines.publishing.document import curator_entry, inputs_digest
from auricle.pipelines.tables import ingest
from auricle.pipelines.tables.remaining import curators_of
from auricle.pipelines.tables.state import open_state
from auricle.schemas.config import RunConfig
from auricle.schemas.keys import sha256_bytes
from auricle.schemas.score import ScoreColumn
from auricle.schemas.tables import RECORDINGS, clip_schema
from auricle.schemas.version import Counts, RepresentationEntry, Shard, VersionDocument

CURATORS = ("dnsmos", "signal", "snr", "vad")
RATE = 16_000
CLIP_SAMPLES = 6 * RATE
CODES_BYTES, LATENTS_BYTES = 1_500, 40_000
SHARD_BYTES = 64 << 20


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
    """The files of the synthetic source, in batches as `own_files` gives them."""
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
            "absent": pa.nulls(rows, pa.string()),
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
        mock.patch.object(ingest, "own_files", side_effect=lambda *_: listing(count + new)),
        mock.patch("auricle.pipelines.run.Pool.start", side_effect=AssertionError("nothing was to be computed")),
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
