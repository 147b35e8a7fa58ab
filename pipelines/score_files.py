"""Scores of loose files and folders, judged by rules: no dataset, no Ray."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..curators.registry import build
from ..schemas.clip import Clip
from ..schemas.errors import ClipError, ConfigError
from ..schemas.language import language_code
from ..schemas.score import ARROW, Curator
from ..schemas.tables import FailureReason
from ..schemas.worker_config import Workers
from .audio.damage import damage
from .audio.declared import check_whole, why_empty
from .audio.decode import AUDIO_SUFFIXES, open_audio
from .labels.formats import Options
from .labels.place import Place
from .labels.registry import recognise
from .labels.resolve import resolve
from .labels.rows import LABELS, Unusable
from .passes.measure import measure
from .policy.judge_clip import Judge
from .work.hang import Step
from .work.one_by_one import ends_the_pass, why
from .work.own_process import run_each

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
    judge: Judge | None = None,
    accept_truncated: bool = False,
    limit_s: float = Workers().limit_s,
    workers: int | None = None,
    done: Callable[[int, int], None] = lambda done, total: None,
) -> pa.Table:
    """One row per channel of every file: path, channel, every score, why scores are null, and what `judge` says.

    A file that cannot be decoded, or on which a curator takes too long (`limit_s`, see `Workers`), is one row with
    `error_reason`. Columns: those of `table_schema`.
    Raises `ConfigError` for a path that is not there, a table without a `file` column, and when there is no audio.
    """
    files = list(_expand(paths))
    if not files:
        raise ConfigError(f"{', '.join(map(str, paths))}: no audio files here ({', '.join(sorted(AUDIO_SUFFIXES))})")
    labels = read_table(transcripts, files) if transcripts else {}
    built = build(curators, options or {})
    work = partial(
        _score_file,
        names=curators,
        options=options or {},
        language=language,
        accept_truncated=accept_truncated,
        limit_s=limit_s,
    )
    jobs = [(path, labels.get(path.resolve(), Label())) for path in files]
    rows: list[dict[str, Any]] = []
    for count, found in enumerate(run_each(work, jobs, _died, workers), start=1):
        rows += found
        done(count, len(files))
    table = pa.Table.from_pylist(rows, schema=table_schema(built))
    return _judged(table, judge or Judge((), (), built))


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
        pa.field("status", pa.string()),  # kept, dropped or failed, by the rules given
        pa.field("reasons", pa.list_(pa.string())),  # words of the broken rules
        pa.field("why", pa.list_(pa.string())),  # a line for each
        pa.field("undecided", pa.list_(pa.string())),  # a line for each rule that is unsure of a kept clip
        pa.field("tier", pa.string()),
        pa.field("note", pa.string()),  # how a file that was read is damaged
        pa.field("error_reason", pa.string()),  # FailureReason of a file that failed
        pa.field("error_message", pa.string()),
    ]
    taken = {f.name for f in fields}
    for curator in curators:
        fields += [pa.field(c.name, ARROW[c.dtype]) for c in curator.columns if c.name not in taken]
    fields += [pa.field(f"{curator.name}_reason", pa.string()) for curator in curators]
    return pa.schema(fields)


def _judged(table: pa.Table, judge: Judge) -> pa.Table:
    """The table with what the judge says; from the stored numbers, which are rounded to their dtype."""
    rows = table.to_pylist()
    for row in rows:
        if row["error_reason"]:
            row |= {"status": "failed", "reasons": [row["error_reason"]], "why": [row["error_message"]]}
        else:
            found = judge(row)
            row |= {
                "status": str(found.status),
                "reasons": list(found.reasons),
                "why": list(found.why),
                "undecided": list(found.undecided),
                "tier": found.tier,
            }
    return pa.Table.from_pylist(rows, schema=table.schema)


def read_table(table: Path, files: Sequence[Path]) -> dict[Path, Label]:
    """Labels of those of `files` that a label file (docs/labels.md) is about, by resolved path.

    Labels of spans are left out: loose files are scored whole. Raises `ConfigError` for a file in no known form.
    """
    import duckdb

    found = {path.resolve() for path in files}
    root = Path(os.path.commonpath([table.resolve().parent, *(path.parent for path in found)]))
    paths = sorted(path.relative_to(root).as_posix() for path in found)
    place, name = (
        Place(str(root), f"--transcripts {table}", lambda: paths),
        table.resolve().relative_to(root).as_posix(),
    )
    rows = [row for row in recognise(place, name).rows(place, name, Options()) if not isinstance(row, Unusable)]
    rows = [row | {"source": "", "label_file": name} for row in rows if row["start_s"] is None]
    with duckdb.connect() as db:
        db.register("labels_read", pa.Table.from_pylist(rows, schema=LABELS))
        db.register("files_listed", pa.table({"source": [""] * len(paths), "path": pa.array(paths, pa.string())}))
        resolve(db)
        columns = "path, min(speaker), min(language), min(transcript)"
        labelled = db.execute(f"SELECT {columns} FROM labels WHERE channel IS NULL GROUP BY path").fetchall()
    return {root / path: Label(*texts) for path, *texts in labelled if root / path in found}


def _expand(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and p.is_file())
        elif path.exists():
            yield path
        else:
            raise ConfigError(f"{path}: no such file or folder")


Job = tuple[Path, Label]
Rows = list[dict[str, Any]]


def _died(job: Job, exit_code: int | None, hung: Step | None) -> Rows:
    """The row of a file that ended its process every time."""
    path, label = job
    if hung is not None:
        reason, what = FailureReason.TIMED_OUT, str(hung)
    else:
        reason, what = FailureReason.KILLED_WORKER, f"killed the process that scored it (exit {exit_code})"
    message = f"{path.name}: {what}"
    return [{"path": str(path), "speaker": label.speaker, "error_reason": str(reason), "error_message": message}]


def _score_file(
    job: Job,
    names: Sequence[str] | None,
    options: Mapping[str, Mapping[str, Any]],
    language: str | None,
    accept_truncated: bool,
    limit_s: float,
) -> Rows:
    import numpy as np

    path, label = job
    facts = {
        "path": str(path),
        "speaker": label.speaker,
        "language": label.language or language_code(language),
        "transcript": label.transcript,
    }
    try:
        with open_audio(path) as reader:
            if not accept_truncated:
                check_whole(path)
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
            raise ClipError(FailureReason.NO_SAMPLES, f"{path.name}: {why_empty(path)}")
        waveform = np.concatenate(blocks, axis=1)
        facts["note"] = damage(path, reader.info, total)
    except Exception as error:
        if ends_the_pass(error):
            raise
        reason, message = why(error)
        return [facts | {"error_reason": str(reason), "error_message": message}]
    siblings = tuple(waveform) if waveform.shape[0] > 1 else ()
    clips = [
        Clip("", samples, rate, label.transcript, facts["language"], label.speaker, channel, siblings)
        for channel, samples in enumerate(waveform)
    ]
    rows = [facts | {"channel": clip.channel, "sample_rate": rate, "duration_s": clip.duration_s} for clip in clips]
    for curator in _curators(tuple(names) if names else None, options):
        for row, scores in zip(rows, measure(curator, clips, limit_s), strict=True):
            row[f"{curator.name}_reason"] = scores.pop("reason", None)
            row.update(scores)
    return rows


_BUILT: dict[str, list[Curator]] = {}


def _curators(names: Sequence[str] | None, options: Mapping[str, Mapping[str, Any]]) -> list[Curator]:
    """The curators of this process, their models loaded once."""
    key = repr((names, options))
    if key not in _BUILT:
        _BUILT[key] = build(names, options)
    return _BUILT[key]
