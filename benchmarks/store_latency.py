"""An object store 20 ms away: many small requests, and whole verbs, one request after the other and as they are asked.

    python benchmarks/store_latency.py --objects 300           heads, gets and deletes
    python benchmarks/store_latency.py verbs --nights 20       verify, pull, and a run that publishes

The store is moto's S3 server behind a proxy that waits, both on this machine. The dataset of the verbs has a part of
each table and two shards a night. A measurement begins without copies of it on this machine, and is the mean of two.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count, cycle
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/plugins"))
from corpus import config, write_corpus  # pyright: ignore[reportMissingImports]
from flaky_proxy import FlakyProxy  # pyright: ignore[reportMissingImports]
from inprocess import without_ray  # pyright: ignore[reportMissingImports]

from auricle.loaders import open_version, pull, verify
from auricle.loaders.care import moving
from auricle.loaders.storage import store as store_module
from auricle.loaders.storage.store import Store
from auricle.pipelines.run import run

logging.getLogger("werkzeug").setLevel(logging.ERROR)
DELAY_S = 0.02
VIEWS = [{"codec": "cheap", "kind": "codes"}, {"codec": "cheap", "kind": "latents"}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("requests", "verbs"), default="requests")
    parser.add_argument("--objects", type=int, default=300)
    parser.add_argument("--nights", type=int, default=20)
    args = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    proxy = FlakyProxy(("127.0.0.1", port), rate=1.0, kinds=("stall",), in_a_row=1 << 40, stall_s=DELAY_S)
    os.environ |= {
        "AWS_ENDPOINT_URL": proxy.url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
    }  # fmt: skip
    boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1").create_bucket(Bucket="bench")
    if args.what == "verbs":
        verbs(args.nights)
    else:
        requests(args.objects)
    proxy.close()
    server.stop()


def requests(objects: int) -> None:
    """Heads, gets and deletes of small objects."""
    store = Store("s3://bench/data")
    paths = [f"objects/{i:06d}" for i in range(objects)]
    print("| request | one by one, s | together, s | times |\n|-|-|-|-|")
    for _ in store.each(lambda path: store.put_new(path, b"x" * 1000), paths):
        pass
    for name, request in (("head", store.size), ("get", store.get)):
        one_by_one, at_once = partial(map, request, paths), partial(store.each, request, paths)
        alone, together = seconds(lambda run=one_by_one: list(run())), seconds(lambda run=at_once: list(run()))
        print(f"| {name} | {alone:.1f} | {together:.1f} | {alone / together:.1f} |", flush=True)
    half = len(paths) // 2
    alone = seconds(lambda: [store.delete([path]) for path in paths[:half]])
    together = seconds(lambda: store.delete(paths[half:]))
    print(f"| delete, half of them | {alone:.1f} | {together:.1f} | {alone / together:.1f} |")
    assert not list(store.list())


def verbs(nights: int) -> None:
    """Whole verbs, on a dataset that grew for `nights`."""
    with tempfile.TemporaryDirectory(prefix="auricle-latency-") as folder, pytest.MonkeyPatch.context() as patch:
        without_ray(patch)
        root, url, work, bounds = Path(folder), "s3://bench/nights", count(), cycle((-22.0, -60.0))
        for night in range(nights):
            write_corpus(root / "audio", 4, first=4 * night, seconds=0.1)
            run(config(root / "audio", url, representations=VIEWS))
        document = open_version(url).document
        shards = sum(len(entry.shards) for entry in document.representations.values())
        print(f"{len(document.clips) + len(document.recordings)} parts of tables, {shards} shards\n")

        def published() -> None:
            # a rule is tightened, or loosened again: every row is judged, and no pass has work
            keep = [{"score": "loudness_db", "min": next(bounds), "reason": "quiet"}]
            assert run(config(root / "audio", url, representations=VIEWS, keep=keep)).status == "published"

        def checked() -> None:
            assert verify(url) == []

        jobs: dict[str, Callable[[], object]] = {
            "verify": checked,
            "pull": lambda: pull(url, str(root / f"pulled-{next(work)}"), ["cheap-codes"]),
            "run that publishes": published,
        }
        for _ in range(2):
            published()
        print("| verb | one by one, s | together, s | times |\n|-|-|-|-|")
        for name, job in jobs.items():
            took: dict[bool, list[float]] = {True: [], False: []}
            for alone in (True, True, False, False):
                with pytest.MonkeyPatch.context() as mode:
                    mode.setenv("XDG_CACHE_HOME", str(root / f"cache-{next(work)}"))
                    if alone:
                        mode.setattr(store_module, "AT_ONCE", 1)
                        mode.setattr(moving, "AT_ONCE", 1)
                    took[alone].append(seconds(job))
            alone_s, together_s = sum(took[True]) / 2, sum(took[False]) / 2
            print(f"| {name} | {alone_s:.1f} | {together_s:.1f} | {alone_s / together_s:.1f} |", flush=True)


def seconds(work) -> float:
    """How long it takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
