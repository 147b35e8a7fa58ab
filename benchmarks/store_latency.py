"""Many small requests to an object store 20 ms away: one after the other, and as a run asks for them.

    python benchmarks/store_latency.py --objects 300

The store is moto's S3 server behind a proxy that waits, both on this machine.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
import time
from functools import partial
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from flaky_proxy import FlakyProxy

from auricle.loaders.storage.store import Store

logging.getLogger("werkzeug").setLevel(logging.ERROR)
DELAY_S = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=300)
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
    store = Store("s3://bench/data")
    paths = [f"objects/{i:06d}" for i in range(args.objects)]
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
    proxy.close()
    server.stop()


def seconds(work) -> float:
    """How long it takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
