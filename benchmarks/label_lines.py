"""Time and memory of label lines: reading them, and finding the recording of each, for corpora of many lines.

    python benchmarks/label_lines.py [--lines 100000 1000000] [--kinds tsv trans.txt]

The labels are generated: one TSV (file, speaker, language, transcript of 60 to 80 characters) that names every
recording by its path, and a tree like LibriSpeech's, 50 lines in the `trans.txt` of each chapter. No audio is written:
the listing of the recordings is synthetic. Each row is a process of its own, and prints wall and CPU seconds of reading
(files to the table `labels_read`) and of joining (all else in `load_sources` after the listing), CPU microseconds a
line, and peak memory over the imports.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from auricle.loaders.storage.store import Store
from auricle.pipelines.listing.files import FILES
from auricle.pipelines.tables import ingest
from auricle.pipelines.tables.state import open_state
from auricle.schemas.config import RunConfig

IN_CHAPTER = 50
SAID = "the birch canoe slid on the smooth planks and glue the sheet to number"
AT_ONCE = 1 << 16


def path_of(number: int) -> str:
    """Of a recording, in LibriSpeech's form."""
    chapter = number // IN_CHAPTER
    return f"{chapter // 20}/{chapter}/{chapter // 20}-{chapter}-{number % IN_CHAPTER:04d}.flac"


def write(root: Path, kind: str, lines: int) -> None:
    """The label files of a corpus of so many recordings."""
    if kind == "tsv":
        with (root / "labels.tsv").open("w") as file:
            file.write("file\tspeaker\tlanguage\ttranscript\n")
            for k in range(lines):
                file.write(f"{path_of(k)}\ts{k // 1000}\ten\t{SAID} {k}\n")
        return
    for first in range(0, lines, IN_CHAPTER):
        path = root / path_of(first)
        path.parent.mkdir(parents=True, exist_ok=True)
        said = "".join(
            f"{Path(path_of(k)).stem} {SAID.upper()} {k}\n" for k in range(first, min(first + IN_CHAPTER, lines))
        )
        (path.parent / f"{path.stem.rpartition('-')[0]}.trans.txt").write_text(said)


def listing(root: Path, lines: int) -> Iterator[pa.RecordBatch]:
    """What a walk over the recordings would give."""
    for first in range(0, lines, AT_ONCE):
        paths = [path_of(k) for k in range(first, min(first + AT_ONCE, lines))]
        rows = [("corpus", 0, path, f"{root}/{path}", 200_000, 1, None, None) for path in paths]
        yield pa.RecordBatch.from_arrays(
            [pa.array(column, f.type) for column, f in zip(zip(*rows, strict=True), FILES, strict=True)], schema=FILES
        )


def measure(root: Path, kind: str, lines: int, pipe: Any) -> None:
    """In a process of its own: sends (read wall, read CPU, join wall, join CPU, peak bytes, labels joined)."""
    transcripts = "labels.tsv" if kind == "tsv" else "*.trans.txt"
    config = RunConfig.model_validate(
        {
            "dataset": str(root / "dataset"),
            "sources": [{"path": str(root), "name": "corpus", "transcripts": transcripts}],
            "representations": [{"codec": "builtin", "kind": "codes"}],
        }
    )
    spent = {"list": (0.0, 0.0), "read": (0.0, 0.0)}
    with open_state(Store(config.dataset, create=True)) as state:
        fill = state.fill

        def timed(name: str, schema: pa.Schema, batches: Any) -> None:
            began = time.perf_counter(), time.process_time()
            fill(name, schema, batches)
            what = "read" if name == "labels_read" else "list"
            spent[what] = (time.perf_counter() - began[0], time.process_time() - began[1])

        state.fill = timed
        ingest.own_files = lambda archives, notices: listing(root, lines)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter(), time.process_time()
        notices = ingest.load_sources(state, config)
        whole = time.perf_counter() - began[0], time.process_time() - began[1]
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        joined = state.one("SELECT count(*) FROM labels JOIN files USING (source, path)")
    assert not notices, notices
    rest = [whole[k] - spent["list"][k] - spent["read"][k] for k in range(2)]
    pipe.send((*spent["read"], *rest, peak, joined))


def main() -> None:
    """A line of a table for each kind and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--kinds", nargs="+", default=["tsv", "trans.txt"])
    args = parser.parse_args()
    print("| labels | lines | read: wall s | CPU s | join: wall s | CPU s | CPU µs a line | peak MB | joined |")
    print("|-|-|-|-|-|-|-|-|-|")
    context = multiprocessing.get_context("spawn")
    for kind in args.kinds:
        for lines in args.lines:
            with tempfile.TemporaryDirectory(prefix="auricle-labels-") as folder:
                write(Path(folder), kind, lines)
                here, there = context.Pipe()
                process = context.Process(target=measure, args=(Path(folder), kind, lines, there))
                process.start()
                there.close()
                read, read_cpu, join, join_cpu, peak, joined = here.recv()
                process.join()
            each = (read_cpu + join_cpu) / lines * 1e6
            print(
                f"| {kind} | {lines} | {read:.1f} | {read_cpu:.1f} | {join:.1f} | {join_cpu:.1f} | {each:.1f} "
                f"| {peak / 1e6:.0f} | {joined} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
