"""Speed and memory of taking in recordings, for every way in which a source may have them.

    python benchmarks/ingest.py DATA [--clips 200] [--seconds 8] [--rounds 5] [--kinds tar zip] [--memory 250]

DATA: a folder with speech in FLAC. The corpus is made of it: cuts at random places (seeded), with a gain and a noise of
their own, so that no two have the same bytes. One process, one thread, files in the page cache.

For each kind of source, two passes in turn: ours (listing, labels where it has some, probe) and a bare loop that
lists and reads with the usual library, hashes the bytes, decodes with soundfile, and hashes the samples. Prints what
ours does in a second of wall and of CPU time, the medians over the rounds of the bare loop's time over ours (asked:
at least 0.9), and the CPU milliseconds a file that ours takes more.

Then tars of so many clips, at 1, 4 and 16 times the size, written a clip at a time: peak memory (VmHWM) of listing and
of the probe, each in a process of its own, beyond what the imports take.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from ingest_corpus import KINDS, make, read_bare, sounds, write_tars

from auricle.pipelines.audio.decode import BLOCK_SAMPLES
from auricle.pipelines.labels.read import read_labels
from auricle.pipelines.listing.files import list_sources
from auricle.pipelines.passes.probe import ProbeRecipe
from auricle.schemas.config import Segmentation
from auricle.schemas.keys import PcmHash
from auricle.schemas.source_config import Source


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


def timed(do: Any, *args: Any) -> np.ndarray:
    """[wall, CPU] seconds."""
    began = np.array([time.perf_counter(), time.process_time()])
    do(*args)
    return np.array([time.perf_counter(), time.process_time()]) - began


def compare(kind: str, args: argparse.Namespace, files: list[tuple[str, bytes]]) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory(prefix="auricle-ingest-") as folder:
        root = Path(folder)
        source = make(kind, root, files, args.seconds)
        assert ours(source) == bare(kind, root), "not the same recordings"
        mine, theirs = [], []
        for number in range(args.rounds):
            for is_ours in (True, False) if number % 2 else (False, True):
                spent = timed(ours, source) if is_ours else timed(bare, kind, root)
                (mine if is_ours else theirs).append(spent)
    wall, cpu = np.median(mine, axis=0)
    wall_ratio, cpu_ratio = np.median(np.array(theirs) / np.array(mine), axis=0)
    more = np.median(np.array(mine) - np.array(theirs), axis=0)[1] / len(files) * 1e3
    hours = len(files) * args.seconds / 3600
    shown = f"{len(files) / wall:.0f} | {len(files) / cpu:.0f} | {hours / cpu:.2f}"
    return f"| {kind} | {shown} | {wall_ratio:.2f} | {cpu_ratio:.2f} | {more:.2f} |"


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
    print("| source | files/s | files/CPU s | hours/CPU s | wall ratio | CPU ratio | CPU ms more a file |")
    print("|-|-|-|-|-|-|-|")
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
