"""What it takes to list archives: anew, as the newest version knows them, and where one of them grew.

    python benchmarks/archives.py [--tars 1000] [--members 100]

The tars hold clips of a twentieth of a second. A first run takes them in; then the sources are listed as a second run
lists them, each case in a process of its own. Timed is what comes after the walk over the folder, on one core.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from auricle.loaders.storage.store import Store
from auricle.pipelines.archives.tars import Tar
from auricle.pipelines.listing.contents import here
from auricle.pipelines.run import run
from auricle.pipelines.tables import ingest, remembered
from auricle.pipelines.tables.state import State, open_state
from auricle.schemas.config import RunConfig

RATE = 16000


def clip(seed: int) -> bytes:
    """A WAV file."""
    buffer = io.BytesIO()
    samples = np.random.default_rng(seed).standard_normal(RATE // 20) * 0.05
    soundfile.write(buffer, samples, RATE, subtype="PCM_16", format="WAV")
    return buffer.getvalue()


def append(tar: Path, first: int, count: int, when: int) -> None:
    """Add so many clips to a tar."""
    with tarfile.open(tar, "a") as file:
        for seed in range(first, first + count):
            data = clip(seed)
            item = tarfile.TarInfo(f"{seed:09d}.wav")
            item.size, item.mtime = len(data), when
            file.addfile(item, io.BytesIO(data))
    os.utime(tar, (when, when))


def case(config: RunConfig, paranoid: bool, results: Any) -> None:
    """List once: wall and CPU seconds, files, tars opened; all in this process."""
    opened, spent, members, step = [], [], Tar.members, ingest.members_of_archives

    def timed(state: State, archives: Any, lister: Any, **options: Any) -> None:
        wall, cpu = time.monotonic(), time.process_time()
        step(state, archives, here, **options)
        spent.extend((time.monotonic() - wall, time.process_time() - cpu))

    Tar.members = lambda tar, start=0: opened.append(start) or members(tar, start)  # pyright: ignore
    ingest.members_of_archives = timed
    with open_state(Store(config.dataset)) as state:
        ingest.load_sources(state, config, paranoid=paranoid)
        results.put((*spent, state.one("SELECT count(*) FROM files"), len(opened)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tars", type=int, default=1000)
    parser.add_argument("--members", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="auricle-archives-") as folder:
        source = Path(folder) / "in"
        source.mkdir()
        for number in range(options.tars):
            append(source / f"{number:05d}.tar", number * options.members, options.members, 1_700_000_000)
        config = RunConfig.model_validate(
            {"dataset": f"{folder}/data", "sources": [{"path": str(source), "name": "tars"}],
             "score": {"curators": ["signal"]}, "representations": [], "gate": {"enabled": False}}
        )  # fmt: skip
        run(config)
        (kept,) = Path(folder).glob(f"data/derived/*/{remembered.NAME}")
        print(
            f"{options.tars} tars, {options.tars * options.members} members; {kept.stat().st_size} bytes remembered\n"
        )
        print("| the newest version | wall s | CPU s | us CPU a member | tars opened |\n|---|---|---|---|---|")
        for name in ("knows nothing of archives", "knows all", "knows all but one that grew by a clip"):
            if "grew" in name:
                append(source / "00000.tar", options.tars * options.members, 1, 1_700_000_060)
            results = multiprocessing.get_context("spawn").SimpleQueue()
            process = multiprocessing.get_context("spawn").Process(
                target=case, args=(config, "nothing" in name, results)
            )
            process.start()
            wall, cpu, files, opened = results.get()
            process.join()
            print(f"| {name} | {wall:.2f} | {cpu:.2f} | {cpu / files * 1e6:.1f} | {opened} |", flush=True)


if __name__ == "__main__":
    main()
