"""Speed and memory of taking in recordings, for every way in which a source may have them.

    python benchmarks/ingest.py DATA [--clips 200] [--seconds 8] [--rounds 5] [--kinds folder tar ...] [--memory 250]

DATA: a folder with speech in FLAC. The corpus is made of it: cuts at random places (seeded), with a gain and a noise of
their own, so that no two have the same bytes. One process, one thread, files in the page cache.

For each kind of source, two passes in turn: ours (listing, labels where the source has some, probe) and a bare loop that
lists and reads with the usual library, hashes the bytes, decodes with soundfile, and hashes the samples. Prints files
and hours of audio a second of ours, the median over the rounds of bare time over our time (asked: at least 0.9), and
the milliseconds a file that ours takes more.

Then tars of so many clips, at 1, 4 and 16 times the size, written a clip at a time: peak memory (VmHWM) of listing and
of the probe, each in a process of its own, beyond what the imports take.
"""

from __future__ import annotations

import argparse
import fnmatch
import gzip
import hashlib
import io
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import soundfile
from obstore.store import S3Store

from auricle.pipelines.audio.decode import BLOCK_SAMPLES
from auricle.pipelines.labels.read import read_labels
from auricle.pipelines.passes.probe import ProbeRecipe
from auricle.pipelines.tables.listing import list_sources
from auricle.schemas.config import Segmentation, Source
from auricle.schemas.keys import PcmHash

RATE = 16000
IN_ARCHIVE = 100
KINDS = ("folder", "include", "list", "tar", "zip", "parquet", "arrow", "cuts", "shar", "s3")


def sounds(data: Path, clips: int, seconds: float) -> Iterator[tuple[str, bytes]]:
    """(name, FLAC) of clips that differ from each other."""
    files = sorted(data.rglob("*.flac"), key=lambda f: (-f.stat().st_size, f))[:40]
    read = [soundfile.read(file, dtype="float32", always_2d=True) for file in files]
    speech = np.concatenate([wave[:, 0] for wave, rate in read if rate == RATE])
    length = min(int(seconds * RATE), len(speech) - 1)
    for k in range(clips):
        rng = np.random.default_rng(k)
        first = int(rng.integers(len(speech) - length))
        wave = speech[first : first + length] * rng.uniform(0.5, 0.9) + rng.normal(0, 1e-4, length)
        held = io.BytesIO()
        soundfile.write(held, wave, RATE, format="FLAC")
        yield f"{k // 40:03d}-{k:06d}.flac", held.getvalue()


def write_tars(root: Path, files: Iterator[tuple[str, bytes]], stem: str = "shard", each: int = IN_ARCHIVE) -> None:
    """Tars with so many members."""
    tar = None
    for k, (name, data) in enumerate(files):
        if k % each == 0:
            if tar:
                tar.close()
            tar = tarfile.open(root / f"{stem}.{k // each:06d}.tar", "w")
        item = tarfile.TarInfo(name)
        item.size, item.mtime = len(data), 1_700_000_000
        assert tar is not None
        tar.addfile(item, io.BytesIO(data))
    if tar:
        tar.close()


def cut(name: str, source: dict[str, str], seconds: float) -> str:
    """A cut as lhotse writes it, with its text."""
    stem, samples = name.removesuffix(".flac"), round(seconds * RATE)
    spoken = {"id": stem, "recording_id": stem, "start": 0, "duration": seconds, "channel": 0, "text": "some words"}
    recording = {"id": stem, "sources": [source | {"channels": [0]}], "sampling_rate": RATE, "num_samples": samples}
    whole = {"id": stem, "start": 0, "duration": seconds, "channel": 0, "type": "MonoCut"}
    return json.dumps(whole | {"supervisions": [spoken], "recording": recording | {"duration": seconds}}) + "\n"


def make(kind: str, root: Path, files: list[tuple[str, bytes]], seconds: float) -> dict[str, Any]:
    """Write a corpus of this kind; gives its source."""
    source: dict[str, Any] = {"path": str(root), "name": kind}
    table = pa.table({"audio": [{"bytes": d, "path": n} for n, d in files], "text": ["some words"] * len(files)})
    if kind in ("folder", "include", "list", "cuts"):
        for name, data in files:
            path = root / "audio" / name.replace("-", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    if kind == "include":
        source["include"] = ["audio/0*/*.flac"]
    elif kind == "list":
        source["path"] = str(root / "list.txt")
        (root / "list.txt").write_text("".join(f"audio/{name.replace('-', '/')}\n" for name, _ in files))
    elif kind == "tar":
        write_tars(root, iter(files))
    elif kind == "zip":
        for first in range(0, len(files), IN_ARCHIVE):
            with zipfile.ZipFile(root / f"{first:06d}.zip", "w") as packed:
                for name, data in files[first : first + IN_ARCHIVE]:
                    packed.writestr(name, data)
    elif kind == "parquet":
        pq.write_table(table, root / "train-00000.parquet", row_group_size=IN_ARCHIVE)
    elif kind == "arrow":
        with pyarrow.ipc.new_stream(root / "data-00000-of-00001.arrow", table.schema) as stream:
            stream.write_table(table, max_chunksize=IN_ARCHIVE)
    elif kind == "cuts":
        source["transcripts"] = "cuts.jsonl.gz"
        with gzip.open(root / "cuts.jsonl.gz", "wt") as lines:
            for name, _ in files:
                lines.write(cut(name, {"type": "file", "source": f"audio/{name.replace('-', '/')}"}, seconds))
    elif kind == "shar":
        source["transcripts"] = "cuts.*.jsonl.gz"
        write_tars(root, iter(files), "recording")
        for first in range(0, len(files), IN_ARCHIVE):
            with gzip.open(root / f"cuts.{first // IN_ARCHIVE:06d}.jsonl.gz", "wt") as lines:
                lines.writelines(cut(name, {"type": "shar", "source": ""}, seconds) for name, _ in files[first:][:100])
    elif kind == "s3":
        source["path"] = "s3://corpus/audio"
        for name, data in files:
            obstore.put(bucket(), f"audio/{name.replace('-', '/')}", data)
    return source


def bucket() -> S3Store:
    """The bucket of the server on this machine."""
    return S3Store("corpus", client_options={"allow_http": True})


def read_bare(kind: str, root: Path) -> Iterator[bytes]:
    """The bytes of each recording, in the plainest way."""
    if kind in ("folder", "include"):
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                if kind == "folder" or fnmatch.fnmatch(path, f"{root}/audio/0*/*.flac"):
                    yield Path(path).read_bytes()
    elif kind == "list":
        for line in (root / "list.txt").read_text().splitlines():
            yield (root / line).read_bytes()
    elif kind == "cuts":
        with gzip.open(root / "cuts.jsonl.gz", "rt") as lines:
            for line in lines:
                yield (root / json.loads(line)["recording"]["sources"][0]["source"]).read_bytes()
    elif kind in ("tar", "shar"):
        for cuts in sorted(root.glob("cuts.*")):
            with gzip.open(cuts, "rt") as lines:
                assert all(json.loads(line)["supervisions"][0]["text"] for line in lines)
        for path in sorted(root.glob("*.tar")):
            with tarfile.open(path) as tar:
                for item in tar:
                    yield tar.extractfile(item).read()  # pyright: ignore[reportOptionalMemberAccess]
    elif kind == "zip":
        for path in sorted(root.glob("*.zip")):
            with zipfile.ZipFile(path) as packed:
                yield from (packed.read(item) for item in packed.infolist())
    elif kind == "s3":
        store = bucket()
        for page in obstore.list(store, "audio"):
            yield from (bytes(obstore.get(store, entry["path"]).bytes()) for entry in page)
    else:
        file = next(root.iterdir())
        batches = pq.ParquetFile(file).iter_batches(16) if kind == "parquet" else pyarrow.ipc.open_stream(file)
        for batch in batches:
            yield from batch.column("audio").field("bytes").to_pylist()


def bare(kind: str, root: Path) -> tuple[int, float]:
    """(files, seconds of audio) of the bare loop."""
    count, seconds = 0, 0.0
    for data in read_bare(kind, root):
        hashlib.sha256(data).hexdigest()
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            hashes = [PcmHash(file.samplerate) for _ in range(file.channels)]
            while len(block := file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)):
                for channel, held in enumerate(hashes):
                    held.update(block[:, channel])
            seconds += file.frames / file.samplerate
        count += 1
    return count, seconds


def ours(raw: dict[str, Any], listing_only: bool = False) -> tuple[int, float]:
    """(files, seconds of audio) of listing, labels and probe."""
    source, count, seconds = Source.model_validate(raw), 0, 0.0
    probe = ProbeRecipe(Segmentation()).build()
    for labels in read_labels([source], lambda name: (), []):
        assert labels.num_rows
    for batch in list_sources([source], []):
        count += batch.num_rows
        items = [] if listing_only else [row | {"key": row["uri"], "spans": None} for row in batch.to_pylist()]
        for result in probe(items):
            assert "error_reason" not in result.row, result.row
            seconds += result.audio_s
    return count, seconds


def timed(do: Any, *args: Any) -> tuple[float, tuple[int, float]]:
    """Seconds, and what it gave."""
    began = time.perf_counter()
    given = do(*args)
    return time.perf_counter() - began, given


def compare(kind: str, args: argparse.Namespace, files: list[tuple[str, bytes]]) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory(prefix="auricle-ingest-") as folder:
        root = Path(folder)
        source = make(kind, root, files, args.seconds)
        assert ours(source) == bare(kind, root), "not the same recordings"
        spent: list[tuple[float, float]] = []
        for number in range(args.rounds):
            passes = {"ours": lambda: timed(ours, source), "bare": lambda: timed(bare, kind, root)}
            order = ("ours", "bare") if number % 2 else ("bare", "ours")
            took = {name: passes[name]()[0] for name in order}
            spent.append((took["ours"], took["bare"]))
    mine = statistics.median(o for o, _ in spent)
    ratio = statistics.median(b / o for o, b in spent)
    more = statistics.median(o - b for o, b in spent) / len(files) * 1e3
    hours = len(files) * args.seconds / 3600
    return f"| {kind} | {len(files) / mine:.0f} | {hours / mine:.3f} | {ratio:.2f} | {more:.2f} |"


def high_water() -> int:
    """Peak resident bytes of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def peak(raw: dict[str, Any], listing_only: bool, pipe: Any) -> None:
    """In a process of its own: sends the peak beyond what is there before."""
    before = high_water()
    pipe.send((ours(raw, listing_only)[0], high_water() - before))


def memory(args: argparse.Namespace) -> None:
    """A line for each size."""
    context = multiprocessing.get_context("spawn")
    for factor in (1, 4, 16):
        with tempfile.TemporaryDirectory(prefix="auricle-ingest-") as folder:
            write_tars(Path(folder), sounds(args.data, args.memory * factor, args.seconds), each=args.memory)
            found = []
            for listing_only in (True, False):
                here, there = context.Pipe()
                process = context.Process(target=peak, args=({"path": folder}, listing_only, there))
                process.start()
                found.append(here.recv())
                process.join()
        (count, listing), (_, whole) = found
        print(f"{count} clips: listing {listing / 1e6:.1f} MB, listing and probe {whole / 1e6:.1f} MB", flush=True)


def main() -> None:
    """Speed, then memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--memory", type=int, default=250, help="clips of the smallest corpus; 0 leaves memory out")
    args = parser.parse_args()
    files = list(sounds(args.data, args.clips, args.seconds))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    print("| source | files/s | hours/s | bare/ours | ms more a file |\n|-|-|-|-|-|")
    for kind in args.kinds:
        server = None
        if kind == "s3":
            import boto3

            command = [sys.executable, "-m", "moto.server", "-p", str(port)]
            server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], region_name="us-east-1")
            client.meta.events.register("needs-retry", lambda attempts, **_: 0.5 if attempts < 60 else None)
            client.create_bucket(Bucket="corpus")
        try:
            print(compare(kind, args, files), flush=True)
        finally:
            if server is not None:
                server.terminate()
    if args.memory:
        memory(args)


if __name__ == "__main__":
    main()
