"""Tables with a row per recording or span: TSV, CSV, `|` without a header, Parquet, JSON lines; columns by any name."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from ...schemas.errors import ConfigError
from ..archives.member import ArchiveError, Member
from ..archives.rows import Table
from .formats import Found, LabelFormat, Options
from .place import LONGEST_LINE, Place, folder_of
from .rows import AUDIO_ENDINGS, Row, Unusable, UnusableError, channel_number, label, reference_of, shown, span

NAMES: Mapping[str, tuple[str, ...]] = {
    "file": (
        *("file", "file_name", "audio_filepath", "path", "filename", "filepath", "file_path", "audio_file"),
        *("audio_path", "audio", "wav", "wav_path", "wav_filename", "clip", "url", "uri", "audio_url"),
    ),
    "transcript": (
        *("transcript", "sentence", "text", "transcription", "normalized_text", "normalised_text"),
        *("raw_transcription", "raw_text"),
    ),
    "speaker": ("speaker", "speaker_id", "client_id", "spk", "spk_id", "speaker_name"),
    "language": ("language", "lang", "locale", "source_lang"),
    "channel": ("channel",),
    "start_s": ("offset", "start_s", "start_time", "start"),
    "end_s": ("end_s", "end_time", "end"),
    "duration_s": ("duration_s", "duration"),
}
"""Ours to what conventions call it, in the order in which they are looked for."""
CONVENTIONS = (
    "auricle (file), Hugging Face (file_name), NeMo (audio_filepath), Common Voice and moshi-finetune (path), "
    "Emilia (wav), Coqui (audio_file), DeepSpeech (wav_filename)"
)
ROWS_PER_BATCH = 1 << 12
Where = Callable[[], str]
"""Says where a record is, for notices: most are never told of."""
Record = tuple[Where, Mapping[str, Any]]
"""Where it is, and its cells."""


def rows_of(
    records: Iterator[Record | Unusable], place: Place, name: str, options: Options, nemo: bool = False
) -> Iterator[Row | Unusable]:
    """Rows from records with columns by any name.

    nemo: a duration without an offset is the beginning of the recording; elsewhere it only states its length.
    Raises `ConfigError` where no record has a column that names a recording.
    """
    chosen: dict[tuple[str, ...], Sequence[str | None]] = {}
    folder, usual, odd = folder_of(name), False, None
    for record in records:
        if isinstance(record, Unusable):
            yield record
            continue
        where, cells = record
        header = tuple(cells)
        if header not in chosen:
            if len(chosen) > 1000:
                chosen.clear()
            found = columns_of(header, options.columns)
            chosen[header] = [found.get(ours) for ours in NAMES]
        columns = chosen[header]
        if columns[0] is not None:
            usual = True
        elif odd is None:
            odd = cells
        try:
            yield _row(place, folder, columns, cells, options, nemo)
        except UnusableError as error:
            yield Unusable(str(error), where())
    if odd is not None and not usual:
        raise ConfigError(no_file_column(place, name, odd, options))


def columns_of(header: Sequence[str], given: Mapping[str, str]) -> Mapping[str, str]:
    """Ours to the table's own names, for those that the table has; what the configuration names comes first."""
    small = {name.strip().lower(): name for name in reversed(header)}
    columns = {}
    for ours, names in NAMES.items():
        wanted = (given[ours],) if ours in given else names
        found = next((name for name in wanted if name in header), None)
        found = found or next((small[name.lower()] for name in wanted if name.lower() in small), None)
        if found is not None:
            columns[ours] = found
    return columns


def no_file_column(place: Place, name: str, cells: Mapping[str, Any], options: Options) -> str:
    """What is missing, what was looked for, and the line of YAML that would map what is there."""
    header = [str(key) for key in cells]
    where = f"source {place.source!r}: {name} has the columns {', '.join(header) or 'none'}"
    if "file" in options.columns:
        return f"{where}; `labels.columns` says that {options.columns['file']!r} names the recording"
    audio = [k for k, v in cells.items() if os.path.splitext(str(v))[1].lower() in AUDIO_ENDINGS]
    file = str(audio[0] if audio else header[0] if header else "NAME")
    words = [str(k) for k, v in cells.items() if str(k) != file and " " in str(v).strip()]
    guess = f"file: {json.dumps(file)}" + (f", transcript: {json.dumps(words[0])}" if words else "")
    return (
        f"{where}; one that names the recording is required. Looked for: {CONVENTIONS}. "
        f"To map what is there: `labels: {{columns: {{{guess}}}}}`"
    )


def _row(
    place: Place,
    folder: PurePosixPath,
    columns: Sequence[str | None],
    cells: Mapping[str, Any],
    options: Options,
    nemo: bool,
) -> Row:
    file, transcript, speaker, language, channel, start, end, duration = (
        cells.get(column) if column is not None else None for column in columns
    )
    if not isinstance(file, str | int) or isinstance(file, bool) or not (file := str(file).strip()):
        raise UnusableError("no recording is named")
    path = place.relative(file, folder)
    if path is None:
        raise UnusableError("its recording is outside the source")
    start_s, duration_s = span(start, end=end, duration=duration)
    if not nemo and start in (None, "") and end in (None, ""):
        start_s = duration_s = None
    if isinstance(transcript, list | dict):
        raise UnusableError("its transcript is no text")
    return label(
        path,
        # a name without folder and ending is no path
        reference=file if "/" not in file and reference_of(file) == file else None,
        transcript=transcript,
        language=language,
        speaker=speaker,
        start_s=start_s,
        duration_s=duration_s,
        channel=channel_number(channel),
        carried={name: cells.get(name) for name in options.carry} if options.carry else None,
    )


def delimited(
    place: Place, name: str, options: Options, delimiter: str, quoted: bool, header: bool = True
) -> Iterator[Record | Unusable]:
    """Records of a table of lines; the columns of one without a header are called 1, 2, 3.

    Raises `ConfigError` for a header without a column that names a recording.
    """
    csv.field_size_limit(LONGEST_LINE)
    with place.lines(name) as lines:
        reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
        names: list[str] | None = None
        checked = not header
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                if not checked:
                    _require_file(place, name, dict.fromkeys(names or (), ""), options)
                return
            except csv.Error:
                yield Unusable("it is no line of a table", f"line {reader.line_num}")
                continue
            if not any(map(str.strip, cells)):
                continue
            if names is None:
                names = [c.strip() for c in cells] if header else [str(i + 1) for i in range(len(cells))]
                if header:
                    if len(set(names)) != len(names):
                        twice = next(n for n in names if names.count(n) > 1)
                        raise ConfigError(f"source {place.source!r}: {name} has two columns called {twice!r}")
                    continue
            if not checked:
                _require_file(place, name, dict(zip(names, cells, strict=False)), options)
                checked = True
            if len(cells) != len(names):
                why = f"it has not the {len(names)} columns of the first line"
                yield Unusable(why, f"line {reader.line_num}: {shown(delimiter.join(cells))}")
                continue
            yield (
                partial(_line, reader.line_num, delimiter, cells[:4]),
                dict(zip(names, map(str.strip, cells), strict=True)),
            )


def _line(number: int, delimiter: str, cells: Sequence[str]) -> str:
    return f"line {number}: {shown(delimiter.join(cells))}"


def _require_file(place: Place, name: str, cells: Mapping[str, Any], options: Options) -> None:
    if "file" not in columns_of(tuple(cells), options.columns):
        raise ConfigError(no_file_column(place, name, cells, options))


def json_lines(place: Place, name: str, options: Options) -> Iterator[Record | Unusable]:
    """Records of a file with one JSON object per line."""
    with place.lines(name) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = partial(_line, number, "", (line,))
            try:
                cells = json.loads(line)
            except (ValueError, RecursionError):
                yield Unusable("it is not JSON", where())
                continue
            if isinstance(cells, dict):
                yield where, cells
            else:
                yield Unusable("it is not a JSON object", where())


def packed_rows(place: Place, name: str, options: Options) -> Iterator[Record | Unusable]:
    """Records of a Parquet or Arrow file, batch by batch; audio bytes are left where they are. Where it holds audio and
    no column is named for the recording, a row is of its own audio."""
    with place.binary(name) as file:
        try:
            table = Table(file, name)
            skipped = {
                f.name
                for f in table.schema
                if pa.types.is_binary(f.type) or pa.types.is_large_binary(f.type) or pa.types.is_nested(f.type)
            }
            names = [f for f in table.schema.names if f not in skipped]
            own = table.column is not None and "file" not in options.columns
            if not own:
                _require_file(place, name, dict.fromkeys(names, ""), options)
            # one after the other: a table is one file, read from one place
            members = list(table.members()) if own else []
            for at, cells in enumerate(table.cells(names)):
                where = partial("row {}".format, at + 1)
                if not own:
                    yield where, cells
                elif isinstance(member := members[at], Member):
                    # whatever else it calls itself
                    yield where, cells | {"file": f"{PurePosixPath(name).name}/{member.name}"}
                else:
                    yield Unusable(f"its recording {member.why}", where())
        except (pa.ArrowException, ArchiveError) as error:
            raise ConfigError(
                f"source {place.source!r}: {name} is no readable Parquet or Arrow file ({error})"
            ) from error


Records = Callable[[Place, str, Options], Iterator[Record | Unusable]]


def _read(records: Records, nemo: bool = False) -> Any:
    def read(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
        return rows_of(records(place, name, options), place, name, options, nemo)

    return read


def _by_reference(records: Records) -> Any:
    """As `_read`; the recording is the one of that name, in whatever folder."""

    def read(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
        for row in rows_of(records(place, name, options), place, name, options):
            yield row if isinstance(row, Unusable) else row | {"reference": reference_of(row["path"])}

    return read


def _ljspeech(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """id|text, id|text|normalised text (the last is taken), or path|speaker number|text."""
    columns: Mapping[str, str] | None = dict(options.columns) or None

    def records() -> Iterator[Record | Unusable]:
        nonlocal columns
        for record in delimited(place, name, options, "|", quoted=False, header=False):
            if columns is None and not isinstance(record, Unusable):
                cells = record[1]
                columns = {"file": "1", "transcript": str(len(cells))}
                if len(cells) == 3 and str(cells["2"]).isdecimal():
                    columns |= {"speaker": "2"}
            yield record

    peeked = records()
    first = next(peeked, None)
    while isinstance(first, Unusable):
        yield first
        first = next(peeked, None)
    if first is None:
        return

    def again() -> Iterator[Record | Unusable]:
        yield first
        yield from peeked

    mapped = Options(columns or {}, options.carry, options.recording)
    for row in rows_of(again(), place, name, mapped):
        yield row if isinstance(row, Unusable) else row | {"reference": reference_of(row["path"])}


def _header(found: Found, delimiter: str) -> frozenset[str]:
    first = next((line for line in found.head.splitlines() if line.strip()), "")
    return frozenset(cell.strip().strip('"').lower() for cell in first.split(delimiter))


def _pipes(found: Found) -> bool:
    first = next((line for line in found.head.splitlines() if line.strip()), "")
    return found.ending in (".csv", ".txt", "") and 1 <= first.count("|") <= 4 and "file" not in _header(found, "|")


FORMATS = (
    LabelFormat(
        "common_voice",
        "a .tsv with client_id, path, sentence; quotes are text; clips in whatever folder",
        lambda f: f.ending == ".tsv" and {"client_id", "path", "sentence"} <= _header(f, "\t"),
        _by_reference(lambda place, name, options: delimited(place, name, options, "\t", quoted=False)),
    ),
    LabelFormat(
        "ljspeech",
        "lines `id|text|normalised text` without a header; the last column is taken; clips in whatever folder",
        _pipes,
        _ljspeech,
    ),
    LabelFormat(
        "tsv",
        "a .tsv with a header line: file, speaker, language, transcript, channel, start_s, end_s by any usual name",
        lambda f: f.ending == ".tsv",
        _read(lambda place, name, options: delimited(place, name, options, "\t", quoted=False)),
    ),
    LabelFormat(
        "csv",
        "a .csv with a header line and the same names; Hugging Face's metadata.csv (file_name)",
        lambda f: f.ending == ".csv",
        _read(lambda place, name, options: delimited(place, name, options, ",", quoted=True)),
    ),
    LabelFormat(
        "nemo",
        "JSON lines with audio_filepath, text, offset, duration, lang; also many files named _OP_0..7_CL_",
        lambda f: f.ending in (".json", ".jsonl", ".ndjson") and {"audio_filepath"} <= f.keys(),
        _read(json_lines, nemo=True),
    ),
    LabelFormat(
        "parquet",
        "a Parquet or Arrow file with the names of a .tsv, or with audio in it: Hugging Face's metadata and datasets",
        lambda f: f.ending in (".parquet", ".arrow"),
        _read(packed_rows),
    ),
)
JSON_LINES = LabelFormat(
    "jsonl",
    "JSON lines with the names of a .tsv: Hugging Face's metadata.jsonl (file_name), Emilia (wav)",
    lambda f: f.ending in (".jsonl", ".ndjson", ".json") and bool(f.keys()),
    _read(json_lines),
)
"""After every convention that is JSON too."""
