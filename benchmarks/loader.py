"""Our loader beside webdataset, MosaicML streaming, litData and lhotse Shar: the same clips, the same host, one run.

    uv venv /tmp/rivals --python .venv/bin/python
    echo "import site; site.addsitedir('$PWD/.venv/lib/python3.11/site-packages')" \
        > /tmp/rivals/lib/python3.11/site-packages/shared.pth
    printf 'torch; sys_platform == "never"\ntorchvision==0.24.1\nnumpy==2.2.6\n' > /tmp/overrides.txt
    uv pip install --python /tmp/rivals/bin/python --override /tmp/overrides.txt \
        mosaicml-streaming litdata lhotse webdataset
    /tmp/rivals/bin/python benchmarks/loader.py local
    /tmp/rivals/bin/python benchmarks/loader.py s3 --clips 800

So the rivals have an environment of their own and share torch; those that are missing are named. Each arm is a process
of its own, asked in turn, round by round; what is compared are ratios within a round, of which the median is given. A
first turn that brings imports and connections is not counted.
Checksums are as each does them by default: we check the CRC-32 of every clip, the rivals check none.

Our workers are threads, theirs are processes; "forked" is our loader with processes (`start="fork"`).

local: batches with 0, 1, 2 and 4 workers and plain samples, the second and later epochs (files in the page cache).
s3: moto's server behind a proxy that waits 20 ms, both in a process of their own; the first epoch with its start, from
empty folders of copies. webdataset and lhotse stream by curl, as their documentation has it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import select
import signal
import socket
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import IO, Any

from loader_arms import ARMS
from loader_corpus import CODEBOOKS, write_dataset

TOKENS = 16_384
"""Of a padded batch, in frames."""
DELAY_S = 0.02
BUCKET = "bench"
PATIENCE_S = 300
"""For one job of one arm."""
Cell = tuple[str, "int | None"]


class Process:
    """One arm."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._start()

    def _start(self) -> None:
        code = Path(__file__).with_name("loader_arms.py")
        env = {**os.environ, "OMP_NUM_THREADS": "1", "S3_ENDPOINT_URL": os.environ.get("AWS_ENDPOINT_URL", "")}
        log = None if os.environ.get("LOADER_VERBOSE") else subprocess.DEVNULL
        self._process = subprocess.Popen(
            [sys.executable, str(code), self.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            text=True, env=env, start_new_session=True,
        )  # fmt: skip

    def ask(self, **job: Any) -> dict[str, Any]:
        """The answer to one job."""
        to: IO[str] = self._process.stdin  # pyright: ignore[reportAssignmentType]
        came: IO[str] = self._process.stdout  # pyright: ignore[reportAssignmentType]
        to.write(json.dumps(job) + "\n")
        to.flush()
        # one answer is one line, so nothing of it waits in the buffer
        if not select.select([came], [], [], PATIENCE_S)[0]:
            # with its workers
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._start()
            return {"error": f"no answer in {PATIENCE_S} s"}
        line = came.readline()
        return json.loads(line) if line else {"error": f"{self.name} ended with {self._process.wait()}"}

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def serve(port: int) -> None:
    """moto on `port`, a proxy that waits before it; prints the proxy's URL."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import logging
    import threading

    from flaky_proxy import FlakyProxy  # pyright: ignore[reportMissingImports]
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False).start()
    proxy = FlakyProxy(("127.0.0.1", port), rate=1.0, kinds=("stall",), in_a_row=1 << 40, stall_s=DELAY_S)
    print(proxy.url, flush=True)
    threading.Event().wait()


def upload(folder: Path, port: int) -> None:
    """Everything below the folder into the bucket, past the proxy; anyone may read it, as curl does."""
    import boto3

    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            key = file.relative_to(folder).as_posix()
            client.upload_file(str(file), BUCKET, key, ExtraArgs={"ACL": "public-read"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("where", choices=["local", "s3", "serve"])
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--dimension", type=int, default=128, help="of the latents")
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=["codes", "latents"])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--only", nargs="+", default=list(ARMS))
    parser.add_argument(
        "--cpu", action="store_true", help="local: CPU seconds where one process reads, on a busy machine"
    )
    parser.add_argument("--no-samples", action="store_true", help="batches only")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scratch", type=Path, help="where the clips are written; default: the temporary folder")
    given = parser.parse_args()
    if given.where == "serve":
        return serve(given.port)
    # so that the arms and the server end with it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="auricle-loader-", dir=given.scratch) as scratch:
        run(given, Path(scratch))
    return None


def run(given: argparse.Namespace, scratch: Path) -> None:
    """Write, measure, print."""
    here = [name for name in given.only if importlib.util.find_spec(ARMS[name][0])]
    versions = {name: metadata.version(name) for name in here if not ours_is(name)}
    print(f"{os.cpu_count()} cores of {processor()}, Python {platform.python_version()}, torch "
          f"{metadata.version('torch')}; {', '.join(f'{n} {v}' for n, v in versions.items())}")  # fmt: skip
    for name in sorted(set(given.only) - set(here)):
        print(f"not installed, so not measured: {name}")
    per_shard = -(-given.clips // given.shards)
    files, env, server, port = scratch / "files", {}, None, 0
    write_dataset(files / "auricle", given.clips, given.dimension, per_shard)
    if given.where == "s3":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = subprocess.Popen(
            [sys.executable, __file__, "serve", "--port", str(port)], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        env = {
            "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        }  # fmt: skip
        os.environ |= env
    arms = {name: Process(name) for name in here}
    try:
        write(given, arms, files, per_shard)
        if server is not None:
            upload(files, port)
        for kind in given.kinds:
            cells: list[int | None] = [*given.workers, *([] if given.no_samples else [None])]
            found = measure(given, arms, files, scratch, kind, cells, env)
            table(found, kind, cells, given, files)
    finally:
        for arm in arms.values():
            arm.close()
        if server is not None:
            server.terminate()


def ours_is(name: str) -> bool:
    """Whether the arm is one of ours."""
    return name.startswith("auricle")


def write(given: argparse.Namespace, arms: dict[str, Process], files: Path, per_shard: int) -> None:
    """Each rival's files, from our samples."""
    for name, arm in arms.items():
        for kind in given.kinds if not ours_is(name) else []:
            made = arm.ask(
                do="write", kind=kind, folder=str(files / name / kind), per_shard=per_shard,
                **{"from": str(files / "auricle")},
            )  # fmt: skip
            assert made.get("bytes"), (name, made)


def measure(
    given: argparse.Namespace, arms: dict[str, Process], files: Path, scratch: Path, kind: str,
    cells: list[int | None], env: dict[str, str],
) -> dict[str, dict[int | None, list[dict[str, Any]]]]:  # fmt: skip
    """Arm and workers (None: plain samples) to the answers of all rounds. Arms take turns within each round."""
    found: dict[str, dict[int | None, list[dict[str, Any]]]] = {name: {c: [] for c in cells} for name in arms}
    rows = round(TOKENS / 545)  # the mean length
    # the first turn brings imports and connections, and is not counted
    for turn in range(-1, given.rounds):
        for cell in cells if turn >= 0 else cells[:1]:
            names = list(arms)[turn % len(arms) :] + list(arms)[: turn % len(arms)]
            for name in names:
                path = "auricle" if ours_is(name) else f"{name}/{kind}"
                url = f"s3://{BUCKET}/{path}" if env else None
                answer = arms[name].ask(
                    do="read", kind=kind, workers=cell, rows=rows, tokens=TOKENS, env=env, url=url,
                    http=f"{env['AWS_ENDPOINT_URL']}/{BUCKET}/{path}" if env else None, folder=str(files / path),
                    scratch=str(scratch / "copies"), epochs=1 if env else 3,
                )  # fmt: skip
                answer["by_cpu"] = given.cpu and not cell
                if turn >= 0:
                    found[name][cell].append(answer)
                if "error" in answer:
                    print(f"{name}, {kind}, workers {cell}: {answer['error']}", file=sys.stderr)
    return found


def seconds(answer: dict[str, Any]) -> float:
    """Of an epoch: the median of the warm ones, the first one where there is no other."""
    if "error" in answer:
        return float("inf")
    if answer.get("by_cpu"):
        return median(answer["cpu"])
    return median(answer["warm"]) if answer["warm"] else answer["cold"]


def table(
    found: dict[str, dict[int | None, list[dict[str, Any]]]], kind: str, cells: list[int | None],
    given: argparse.Namespace, files: Path,
) -> None:  # fmt: skip
    """One line for each number of workers."""
    ours, rivals = found.get("auricle", {}), [name for name in found if not ours_is(name)]
    print(f"\n{given.where}, {kind}; clips/s of the median round (seconds to the first batch), then the median of the "
          "rounds' ratios of ours to the best rival of the round")  # fmt: skip
    print("| workers | " + " | ".join(found) + " | tokens/s of ours | ratio |")
    print("|-|" + "-|" * (len(found) + 2))
    frames = None
    for cell in cells:
        words = []
        for name in found:
            answers = [a for a in found[name][cell] if "error" not in a]
            if not answers:
                words.append("failed")
                continue
            rate = given.clips / median(map(seconds, answers))
            words.append(f"{rate:.0f} ({median(a['first'] for a in answers):.2f})")
        ratio = "-"
        if ours and rivals:
            each = [
                min(seconds(found[name][cell][turn]) for name in rivals) / seconds(ours[cell][turn])
                for turn in range(given.rounds)
            ]
            ratio = f"{median(each):.2f}"
        frames = frames or mean_frames(files / "auricle")
        rate = given.clips / median(map(seconds, ours[cell])) if ours else 0
        tokens = rate * frames * (CODEBOOKS if kind == "codes" else 1)
        label = "samples, no batches" if cell is None else str(cell)
        print(f"| {label} | {' | '.join(words)} | {tokens / 1e6:.2f} M | {ratio} |", flush=True)
    print("padding efficiency: " + ", ".join(
        f"{name} {median(a['efficiency'] for c in cells if c is not None for a in by[c] if 'error' not in a):.3f}"
        for name, by in found.items() if any("error" not in a for c in cells if c is not None for a in by[c])
    ))  # fmt: skip
    for name, by in found.items():
        for cell in cells:
            odd = {(a["clips"], a["distinct"]) for a in by[cell] if "error" not in a} - {(given.clips, given.clips)}
            if odd:
                print(f"{name}, workers {cell}: of {given.clips} clips an epoch read (clips, distinct) {sorted(odd)}")


def mean_frames(folder: Path) -> float:
    """Of a clip."""
    from auricle.loaders import open_version

    seconds_each = open_version(str(folder)).clips(["duration_s"])["duration_s"].to_pylist()
    return 75 * sum(seconds_each) / len(seconds_each)


def processor() -> str:
    """Its name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
