"""Scores of loose files and folders: no dataset, no Ray."""

from __future__ import annotations

import csv
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..curators.registry import build
from ..schemas.clip import Clip
from ..schemas.errors import ClipError, ConfigError
from ..schemas.score import ARROW, Curator
from ..schemas.tables import FailureReason
from .decode import AUDIO_SUFFIXES, open_audio

MAX_DECODED_S = 3 * 3600
"""Longest file that is scored as one clip."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a transcript table says of a file."""

    speaker: str | None = None
    language: str | None = None
    transcript: str | None = None


def score_files(
    paths: Sequence[Path],
    transcripts: Path | None = None,
    *,
    curators: Sequence[str] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    language: str | None = None,
    workers: int | None = None,
    done: Callable[[int, int], None] = lambda done, total: None,
) -> pa.Table:
    """One row per channel of every file: path, channel, duration_s, every score, and why scores are null.

    A file that cannot be decoded is one row with `error_reason`. Columns: path, channel, sample_rate, duration_s,
    transcript, language, speaker, error_reason, error_message, then the curators' columns and `<curator>_reason`.
    Raises `ConfigError` for a path that is not there or a table without a `file` column.
    """
    files = list(_expand(paths))
    labels = read_table(transcripts) if transcripts else {}
    work = partial(_score_file, names=curators, options=options or {}, language=language)
    jobs = [(path, labels.get(path.resolve(), Label())) for path in files]
    rows: list[dict[str, Any]] = []
    built = build(curators, options or {})
    for count, found in enumerate(_map(work, jobs, workers), start=1):
        rows += found
        done(count, len(files))
    return pa.Table.from_pylist(rows, schema=table_schema(built))


def table_schema(curators: Sequence[Curator]) -> pa.Schema:
    """Arrow schema of the rows of `score_files`."""
    fields = [
        pa.field("path", pa.string()),
        pa.field("channel", pa.int32()),
        pa.field("sample_rate", pa.int32()),
        pa.field("duration_s", pa.float64()),
        pa.field("transcript", pa.string()),
        pa.field("language", pa.string()),
        pa.field("speaker", pa.string()),
        pa.field("error_reason", pa.string()),
        pa.field("error_message", pa.string()),
    ]
    taken = {f.name for f in fields}
    for curator in curators:
        fields += [pa.field(c.name, ARROW[c.dtype]) for c in curator.columns if c.name not in taken]
    fields += [pa.field(f"{curator.name}_reason", pa.string()) for curator in curators]
    return pa.schema(fields)


def read_table(path: Path) -> dict[Path, Label]:
    """Labels by resolved path of a .tsv or .csv with the columns file, speaker, language, transcript."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            if path.suffix.lower() == ".csv":
                rows = list(csv.DictReader(file))
            else:
                rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except OSError as error:
        raise ConfigError(f"--transcripts {path}: cannot be read ({error.strerror})") from error
    if rows and "file" not in rows[0]:
        raise ConfigError(f"--transcripts {path}: the columns file, speaker, language, transcript are required")
    labels = {}
    for row in rows:
        if row.get("file"):
            text = {k: (row.get(k) or "").strip() or None for k in ("speaker", "language", "transcript")}
            labels[(path.parent / row["file"]).resolve()] = Label(**text)
    return labels


def _expand(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
        elif path.exists():
            yield path
        else:
            raise ConfigError(f"{path}: no such file or folder")


def _map(
    work: Callable[[tuple[Path, Label]], list[dict[str, Any]]], jobs: Sequence[tuple[Path, Label]], workers: int | None
) -> Iterator[list[dict[str, Any]]]:
    pool = min(workers or os.cpu_count() or 1, len(jobs))
    if pool <= 1:
        yield from map(work, jobs)
        return
    context = multiprocessing.get_context("spawn")
    place = 0
    while place < len(jobs):
        with ProcessPoolExecutor(pool, mp_context=context, initializer=_one_thread) as executor:
            futures = [executor.submit(work, job) for job in jobs[place:]]
            try:
                for future in futures:
                    yield future.result()
                    place += 1
            except BrokenProcessPool:
                yield [_alone(context, work, jobs[place])]
                place += 1


def _alone(context: Any, work: Callable[..., list[dict[str, Any]]], job: tuple[Path, Label]) -> dict[str, Any]:
    """A file in a process of its own, after a pool died while waiting for it."""
    with ProcessPoolExecutor(1, mp_context=context, initializer=_one_thread) as executor:
        try:
            return executor.submit(work, job).result()[0]
        except BrokenProcessPool:
            return {
                "path": str(job[0]),
                "error_reason": str(FailureReason.KILLED_WORKER),
                "error_message": f"{job[0].name}: killed the process that scored it",
            }


def _one_thread() -> None:
    # read by the numeric libraries when they load: one process per core is faster than threads
    os.environ["OMP_NUM_THREADS"] = "1"


def _score_file(
    job: tuple[Path, Label], names: Sequence[str] | None, options: Mapping[str, Mapping[str, Any]], language: str | None
) -> list[dict[str, Any]]:
    import numpy as np

    path, label = job
    facts = {
        "path": str(path),
        "speaker": label.speaker,
        "language": label.language or language,
        "transcript": label.transcript,
    }
    try:
        with open_audio(path) as reader:
            rate = reader.info.sample_rate
            blocks, total = [], 0
            for _, block in reader.blocks():
                blocks.append(block)
                total += block.shape[1]
                if total > MAX_DECODED_S * rate:
                    raise ClipError(
                        FailureReason.EXTRACTION, f"{path.name}: longer than 3 h; cut it first, or use a run"
                    )
        if not total:
            raise ClipError(FailureReason.NO_SAMPLES, f"{path.name}: a valid header and no samples")
    except ClipError as error:
        return [facts | {"error_reason": str(error.reason), "error_message": error.message}]
    waveform = np.concatenate(blocks, axis=1)
    siblings = tuple(waveform) if waveform.shape[0] > 1 else ()
    clips = [
        Clip("", samples, rate, label.transcript, facts["language"], label.speaker, channel, siblings)
        for channel, samples in enumerate(waveform)
    ]
    rows = [facts | {"channel": clip.channel, "sample_rate": rate, "duration_s": clip.duration_s} for clip in clips]
    for curator in _curators(tuple(names) if names else None, options):
        for row, scores in zip(rows, curator.score(clips), strict=True):
            reason = scores.pop("reason", None)
            row.update(scores)
            row[f"{curator.name}_reason"] = reason
    return rows


_BUILT: dict[str, list[Curator]] = {}


def _curators(names: Sequence[str] | None, options: Mapping[str, Mapping[str, Any]]) -> list[Curator]:
    """The curators of this process, their models loaded once."""
    key = repr((names, options))
    if key not in _BUILT:
        _BUILT[key] = build(names, options)
    return _BUILT[key]
