"""Which label files of a source describe its recordings: candidates are looked for, read, and counted."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath

import duckdb
import pyarrow as pa

from ..schemas.errors import ConfigError
from ..schemas.source_config import Source
from .labels.place import Place
from .labels.read import Tally, label_files, rows_of
from .labels.registry import formats
from .labels.resolve import resolve
from .labels.rows import LABELS, Row
from .listing.archived import is_named_archive

TABLES = (".tsv", ".csv", ".jsonl", ".ndjson", ".json", ".parquet", ".arrow", ".txt", ".ctm", ".stm", ".rttm")
MOST_CANDIDATES = 24
"""Files that are read; of many that differ in a number, the glob of all counts as one."""
LOOKED_AT = 20
"""Recordings beside which label files are looked for."""
MOST_NAMES = 20_000
"""Names in the source that are looked through."""


@dataclass(frozen=True)
class FoundLabels:
    """A label file, or one beside each recording, and how well it fits."""

    transcripts: str
    """As the configuration would have it."""
    format: str
    lines: int
    recordings: int
    """Of those listed, how many it describes."""
    recordings_with_text: int
    """Of these, how many have a text in it."""
    adds: int
    """Recordings to which it gives a text, and the best of the labels found gives none."""
    with_text: int
    """Lines with a text, of recordings that are there."""
    spans: int
    """Lines that are of a part of a recording."""
    speakers: int
    languages: tuple[str, ...]
    unusable: int
    notice: str | None
    """Why, with examples."""


@dataclass(frozen=True)
class Unmatched:
    """A label file that describes no recording of the source."""

    transcripts: str
    format: str
    lines: int
    name: str
    """The recording of its first line, as the line calls it."""
    recording: str
    """The first recording of the source."""


def found_labels(source: Source, files: pa.Table, limit: int) -> tuple[list[FoundLabels], list[Unmatched]]:
    """Labels that describe at least one of the listed recordings, the best first, and those that describe none.

    files: `listing.FILES`. limit: lines read of each candidate.
    """
    paths = sorted(files["path"].to_pylist())
    place = Place(source.path, source.name, lambda: paths)
    own = source.path.rstrip("/").rpartition("/")[2]
    below = f"{own}/" if is_named_archive(own) and not Path(source.path).expanduser().is_dir() else ""
    found: list[tuple[FoundLabels, set[str]]] = []
    unmatched: list[Unmatched] = []
    for name in islice(candidates(place, paths, below), MOST_CANDIDATES):
        try:
            tried = Source.model_validate({"path": source.path, "name": source.name, "transcripts": name})
            rows, tally, kind = _read(tried, paths, limit)
        except ConfigError:
            # not every table is one of labels
            continue
        counted, texts = _counted(rows, tally, files, name, kind)
        if counted.recordings:
            found.append((counted, texts))
        elif rows and paths:
            called = rows[0]["path"] or rows[0]["reference"]
            unmatched.append(Unmatched(name, kind, counted.lines, called, paths[0]))
    # a list has its labels, where it has any
    found.sort(
        key=lambda f: (f[0].transcripts != own, -f[0].recordings, -f[0].with_text, -f[0].lines, f[0].transcripts)
    )
    best = found[0][1] if found else set()
    return [replace(labels, adds=len(texts - best)) for labels, texts in found], unmatched


def candidates(place: Place, paths: Sequence[str], below: str = "") -> Iterator[str]:
    """What `transcripts` might be: endings of files beside the recordings, folders of Kaldi, tables.

    below: what names of tables begin with; of one archive, its own: what lies beside it is of others.
    """
    stems = {os.path.splitext(path)[0] for path in paths}
    looked_at = [paths[k * len(paths) // LOOKED_AT] for k in range(LOOKED_AT)] if len(paths) > LOOKED_AT else paths
    beside = Counter[str]()
    for path in looked_at:
        folder, _, name = path.rpartition("/")
        names = set(place.names(folder or "."))
        beside["*.trans.txt"] += any(other.endswith(".trans.txt") for other in names)
        stem = os.path.splitext(name)[0]
        for ending in {kind.beside for kind in formats().values() if kind.beside}:
            beside[f"*{ending}"] += f"{stem}{ending}" in names
    yield from (pattern for pattern, count in beside.most_common() if count)
    grouped: dict[str, list[str]] = {}
    called: dict[str, list[str]] = {}
    for name in islice(place.walk("**/*"), MOST_NAMES):
        if not name.startswith(below):
            continue
        base = PurePosixPath(name).name
        if base == "wav.scp":
            yield str(PurePosixPath(name).parent)
        elif base.lower().removesuffix(".gz").endswith(TABLES) and os.path.splitext(name)[0] not in stems:
            grouped.setdefault(re.sub(r"\d+", "*", name), []).append(name)
            called.setdefault(base, []).append(name)
    # a table of one name in each folder
    yield from (f"**/{base}" for base, names in sorted(called.items()) if len(names) > 1)
    for pattern, names in sorted(grouped.items(), key=lambda item: (len(item[1]) > 1, item[0].count("/"), item[0])):
        yield pattern if len(names) > 1 else names[0]


def _read(source: Source, paths: list[str], limit: int) -> tuple[list[Row], Tally, str]:
    """The label rows of a candidate, what of it cannot be used, and its format."""
    place, tally = Place(source.path, source.name, lambda: paths), Tally(source.name, source.transcripts or "")
    _, kind, _ = next(iter(label_files(source, place)), (None, None, None))
    rows = list(islice(rows_of(source, lambda _: paths, tally), limit))
    return rows, tally, kind.name if kind else ""


def _counted(rows: list[Row], tally: Tally, files: pa.Table, name: str, kind: str) -> tuple[FoundLabels, set[str]]:
    """How well a candidate fits, and the recordings to which it gives a text."""
    with duckdb.connect() as db:
        read = pa.Table.from_pylist(rows, schema=LABELS)
        # a line that is of a recording in two encodings is one line
        db.register("labels_read", read.append_column("line", pa.array(range(len(rows)), pa.int64())))
        db.register("files_listed", files)
        resolve(db)
        facts = db.execute(
            """SELECT count(DISTINCT path), count(DISTINCT line) FILTER (transcript IS NOT NULL),
                count(DISTINCT line) FILTER (start_s IS NOT NULL), count(DISTINCT speaker),
                list_sort(list(DISTINCT language) FILTER (language IS NOT NULL)),
                list(DISTINCT path) FILTER (transcript IS NOT NULL)
            FROM labels SEMI JOIN files_listed USING (source, path)"""
        ).fetchall()[0]
    recordings, with_text, spans, speakers, languages, texts = facts
    labels = FoundLabels(
        transcripts=name,
        format=kind,
        lines=len(rows) + tally.lines,
        recordings=recordings,
        recordings_with_text=len(texts or ()),
        adds=0,
        with_text=with_text,
        spans=spans,
        speakers=speakers,
        languages=tuple(languages or ()),
        unusable=tally.lines,
        notice=tally.notice() if tally.reasons else None,
    )
    return labels, set(texts or ())
