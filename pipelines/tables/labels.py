"""Weak labels from the forms that corpora come in: one table, nothing believed."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TextIO

import pyarrow as pa

from ...loaders.storage.store import Store
from ...schemas.config import Source
from ...schemas.errors import ConfigError, IntegrityError
from ...schemas.language import language_code

LABELS = pa.schema(
    [
        pa.field("source", pa.string()),
        pa.field("path", pa.string()),
        pa.field("start_s", pa.float64()),  # null: the label is of the whole recording
        pa.field("duration_s", pa.float64()),
        pa.field("channel", pa.int16()),  # null: the label is of every channel
        pa.field("transcript", pa.string()),
        pa.field("language", pa.string()),
        pa.field("speaker", pa.string()),
        pa.field("label_file", pa.string()),
    ]
)

Label = dict[str, Any]
LONGEST_FIELD = 1 << 27
"""Characters: the transcript of a recording of hours is longer than the 131072 of the csv module."""
ROWS_PER_BATCH = 1 << 16
HERE = PurePosixPath(".")
ODD = frozenset(("", ".", ".."))
"""Parts of a path that are not names."""


def read_labels(
    sources: Iterable[Source], files: Callable[[], pa.Table], notices: list[str]
) -> Iterator[pa.RecordBatch]:
    """Labels of all sources (`LABELS`), batch by batch: a corpus of 10^7 clips has gigabytes of them.

    files: gives the source and path of every file; asked for only where labels lie beside the audio.
    notices: gets a line for each thing in the label files that could not be used.
    Raises `ConfigError` when a label file that the configuration names is absent or has no usable form.
    """
    for source in sources:
        if source.transcripts is None:
            continue
        if source.transcripts == "trans.txt":
            found = _librispeech(source, files())
        else:
            found = _parse(source, source.transcripts, notices)
        while rows := list(islice(found, ROWS_PER_BATCH)):
            yield pa.RecordBatch.from_pylist(rows, schema=LABELS)


def _parse(source: Source, name: str, notices: list[str]) -> Iterator[Label]:
    suffix = PurePosixPath(name).suffix.lower()
    with _open(source, name) as lines:
        if suffix == ".tsv":
            yield from _table(source, name, csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE), notices)
        elif suffix == ".csv":
            yield from _table(source, name, csv.reader(lines), notices)
        elif suffix in (".jsonl", ".json", ".ndjson"):
            yield from _nemo(source, name, lines, notices)
        else:
            raise ConfigError(
                f"source {source.name!r}: transcripts {name!r} has the ending {suffix or 'none'!r}; "
                "a .tsv, .csv or .jsonl file, or 'trans.txt', is required"
            )


def whole(reader: Iterator[list[str]]) -> Iterator[list[str] | None]:
    """The reader's rows, each as long as it is; None for one that it makes no sense of, such as a bare carriage
    return in an unquoted cell."""
    csv.field_size_limit(LONGEST_FIELD)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            row = None
        yield row


def _table(source: Source, name: str, reader: Iterator[list[str]], notices: list[str]) -> Iterator[Label]:
    rows = whole(reader)
    header = [column.strip().lower() for column in next(rows, None) or ()]
    if "file" not in header:
        raise ConfigError(
            f"source {source.name!r}: {name} has the columns {', '.join(header) or 'none'}; "
            "a header line with `file` and any of speaker, language, transcript is required"
        )
    bad, folder = 0, PurePosixPath(name).parent
    for cells in rows:
        if cells is not None and not any(cell.strip() for cell in cells):
            continue
        if cells is None or len(cells) != len(header):
            bad += 1
            continue
        row = dict(zip(header, (cell.strip() or None for cell in cells), strict=True))
        path, channel = _relative(source, row.get("file") or "", folder), row.get("channel")
        if path is None or (channel is not None and not channel.isdecimal()):
            bad += 1
            continue
        label = _label(source, name, path, row.get("transcript"), row.get("language"), row.get("speaker"))
        yield label if channel is None else label | {"channel": int(channel)}
    if bad:
        notices.append(
            f"source {source.name!r}: {bad} lines of {name} do not have {len(header)} columns with a file inside "
            "(and a channel counted from 0, where there is such a column)"
        )


def _nemo(source: Source, name: str, lines: Iterable[str], notices: list[str]) -> Iterator[Label]:
    bad, folder = 0, PurePosixPath(name).parent
    for line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            path = _relative(source, row["audio_filepath"], folder)
            if path is None:
                raise ValueError("outside the source")
            duration = float(row["duration"]) if row.get("duration") is not None else None
            start = float(row["offset"]) if row.get("offset") is not None else None
            if start is None and duration is not None:
                # NeMo reads `duration` seconds from the beginning
                start = 0.0
            channel = int(row["channel"]) if row.get("channel") is not None else None
            if (start or 0.0) < 0 or (channel or 0) < 0 or (duration is not None and duration <= 0):
                raise ValueError("negative span")
        except (ValueError, KeyError, TypeError):
            bad += 1
            continue
        language = row.get("language") or row.get("lang")
        label = _label(source, name, path, row.get("text"), language, row.get("speaker"))
        yield label | {"start_s": start, "duration_s": duration, "channel": channel}
    if bad:
        notices.append(
            f"source {source.name!r}: {bad} lines of {name} are not JSON with an audio_filepath inside the source"
        )


def _librispeech(source: Source, files: pa.Table) -> Iterator[Label]:
    """`<speaker>-<chapter>.trans.txt` with lines `<speaker>-<chapter>-<utterance> TEXT`, beside the audio."""
    audio: dict[tuple[str, str], str] = {}
    folders: set[str] = set()
    for row in files.select(["source", "path"]).to_pylist():
        if row["source"] == source.name:
            path = PurePosixPath(row["path"])
            audio[str(path.parent), path.stem] = row["path"]
            folders.add(str(path.parent))
    for folder in sorted(folders):
        for name in _trans_files(source, folder):
            with _open(source, name) as lines:
                for line in lines:
                    utterance, _, text = line.strip().partition(" ")
                    if path := audio.get((folder, utterance)):
                        yield _label(source, name, path, text, None, utterance.split("-")[0])


def _trans_files(source: Source, folder: str) -> list[str]:
    if "://" in source.path:
        return sorted(e.path for e in Store(source.path).list(folder) if e.path.endswith(".trans.txt"))
    root = Path(source.path).expanduser()
    return sorted(p.relative_to(root).as_posix() for p in (root / folder).glob("*.trans.txt"))


def _label(source: Source, name: str, path: str, transcript: Any, language: Any, speaker: Any) -> Label:
    # NUL ends strings in C libraries downstream and carries no speech
    text = str(transcript).replace("\x00", "").strip() if transcript is not None else ""
    return {
        "source": source.name,
        "path": path,
        "transcript": text or None,
        "language": language_code(str(language)) if language else None,
        "speaker": str(speaker) if speaker else None,
        "label_file": name,
    }


def _relative(source: Source, file: str, folder: PurePosixPath) -> str | None:
    """`file` relative to the source, None when it is empty or leads out of it."""
    if not file:
        return None
    if folder == HERE and not file.startswith("/") and ODD.isdisjoint(file.split("/")):
        # as nearly every label file has it; paths as objects take longer than all else here
        return file
    path = PurePosixPath(file)
    if path.is_absolute():
        root = PurePosixPath(Path(source.path).expanduser().absolute().as_posix())
        if not path.is_relative_to(root):
            return None
        path = path.relative_to(root)
    else:
        path = folder / path
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts) or None


@contextlib.contextmanager
def _open(source: Source, name: str) -> Iterator[TextIO]:
    """The lines of a label file, their ends as they are."""
    try:
        if "://" in source.path:
            raw: BinaryIO = io.BytesIO(Store(source.path).get(name))
        else:
            raw = (Path(source.path).expanduser() / name).open("rb")
    except (OSError, IntegrityError) as error:
        raise ConfigError(
            f"source {source.name!r}: its transcripts {name!r} cannot be read under {source.path}. "
            "`transcripts` is relative to the source's `path`."
        ) from error
    with io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="") as lines:
        yield lines
