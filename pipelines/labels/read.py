"""From the sources of a configuration to label rows: which files, in which format, what could not be used."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice
from pathlib import PurePosixPath

import pyarrow as pa

from ...schemas.counted import counted
from ...schemas.errors import ConfigError
from ...schemas.source_config import Source
from ...schemas.sources import is_list
from ..archives.member import located
from .beside import stem
from .formats import LabelFormat, Options
from .place import Place
from .registry import format_named, formats, recognise
from .rows import LABELS, Row, Unusable

ROWS_PER_BATCH = 1 << 16
ARCHIVES_AT_ONCE = 4096
"""Whose labels are read together, by others where there are many."""
RANGE = re.compile(r"_OP_(\d{1,9})\.\.(\d{1,9})_CL_|\{(\d{1,9})\.\.(\d{1,9})\}", re.IGNORECASE)
"""NeMo's names of many files: `manifest__OP_0..7_CL_.json`."""
MOST_FILES = 1_000_000
SHOWN_REASONS = 5


@dataclass
class Tally:
    """What of a source's label files could not be used."""

    source: str
    name: str
    reasons: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Why, to how many lines and the first of them."""

    @property
    def lines(self) -> int:
        """Of all reasons."""
        return sum(count for count, _ in self.reasons.values())

    def add(self, found: Unusable) -> None:
        """Count a line."""
        count, example = self.reasons.get(found.why, (0, found.line))
        self.reasons[found.why] = count + 1, example

    def merge(self, other: Tally) -> None:
        """Count what another one counted."""
        for why, (more, first) in other.reasons.items():
            count, example = self.reasons.get(why, (0, first))
            self.reasons[why] = count + more, example

    def notice(self) -> str:
        """One line that says what and how many, with an example of each."""
        ranked = sorted(self.reasons.items(), key=lambda item: (-item[1][0], item[0]))
        told = [f"{count:,}: {why} ({example})" for why, (count, example) in ranked[:SHOWN_REASONS]]
        if len(ranked) > SHOWN_REASONS:
            told.append(f"and {counted(len(ranked) - SHOWN_REASONS, 'other reason')}")
        return f"source {self.source!r}: {counted(self.lines, 'line')} of {self.name} cannot be used. {'; '.join(told)}"


@dataclass(frozen=True)
class Packed:
    """Recordings in one archive of a source whose labels lie beside them: read by whoever has time."""

    source: Source
    archive: str
    recordings: tuple[str, ...]


def read_packed(packed: Packed) -> tuple[list[pa.RecordBatch], Tally]:
    """Labels (`LABELS`) of the recordings in an archive, and what could not be used."""
    tally = _tally(packed.source)
    return list(_batches(rows_of(packed.source, lambda _: packed.recordings, tally))), tally


Spread = Callable[[Sequence[Packed]], Iterator[tuple[list[pa.RecordBatch], Tally]]]
"""`read_packed` of each, in order."""


def read_labels(
    sources: Iterable[Source],
    audio: Callable[[str], Iterable[str]],
    tallies: list[Tally],
    own: Callable[[Source, Options], Iterator[Row | Unusable] | None] = lambda source, options: None,
    spread: Spread = partial(map, read_packed),
) -> Iterator[pa.RecordBatch]:
    """Labels of all sources (`LABELS`), batch by batch: a corpus of 10^7 clips has gigabytes of them.

    audio: gives the paths of a source's recordings, sorted; asked for only where labels lie beside the audio.
    own: gives the labels of a source that has none in files, else None.
    tallies: gets one for each source with lines that could not be used.
    spread: reads labels that lie in archives, beside their recordings.
    Raises `ConfigError` when a label file that the configuration names is absent or has no usable form.
    """
    for source in sources:
        given = own(source, Options({}, tuple(source.carry)))
        if given is None and source.transcripts is None and (source.labels is None or _names_a_list(source)):
            continue
        tally = _tally(source)
        if given is not None:
            yield from _batches(_usable(source, given, source.path, tally))
        elif _beside_recordings(source):
            yield from _beside_each(source, audio, tally, spread)
        else:
            yield from _batches(rows_of(source, audio, tally))
        if tally.reasons:
            tallies.append(tally)


def _beside_each(
    source: Source, audio: Callable[[str], Iterable[str]], tally: Tally, spread: Spread
) -> Iterator[pa.RecordBatch]:
    """Labels beside the recordings: archive by archive those that lie in one, and all others here."""
    # a format that there is none of is refused where there are no recordings, too
    _ = list(label_files(source, Place(source.path, source.name)))
    waiting: list[Packed] = []

    def read() -> Iterator[pa.RecordBatch]:
        for batches, other in spread(waiting):
            tally.merge(other)
            yield from batches
        waiting.clear()

    for archive, paths in groupby(audio(source.name), _archive_of):
        if archive is None:
            yield from read()
            yield from _batches(rows_of(source, partial(_these, paths), tally))
            continue
        waiting.append(Packed(source, archive, tuple(paths)))
        if len(waiting) == ARCHIVES_AT_ONCE:
            yield from read()
    yield from read()


def _these(paths: Iterable[str], _source: str) -> Iterable[str]:
    return paths


def _archive_of(path: str) -> str | None:
    found = located(path)
    return None if found is None else found.archive


def _beside_recordings(source: Source) -> bool:
    """Whether a label file of its own lies beside each recording."""
    name = source.transcripts
    if name is None and source.labels is not None and source.labels.format is not None:
        return bool(formats()[source.labels.format].beside) if source.labels.format in formats() else False
    return name is not None and name.startswith("*.") and "/" not in name and name != "*.trans.txt"


def _tally(source: Source) -> Tally:
    return Tally(source.name, source.transcripts or "its labels")


def _batches(found: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    while rows := list(islice(found, ROWS_PER_BATCH)):
        batch = pa.RecordBatch.from_pylist(rows, schema=LABELS)
        # as objects they take many times the batch, and would be there until the next ones all are
        del rows
        yield batch


def _names_a_list(source: Source) -> bool:
    """Whether `labels` only says which column of a list names the recordings."""
    return is_list(source.path) and source.labels is not None and source.labels.format is None


def rows_of(source: Source, audio: Callable[[str], Iterable[str]], tally: Tally) -> Iterator[Row]:
    """Label rows of one source, with their source and file; the rest is counted."""
    place = Place(source.path, source.name, lambda: audio(source.name))
    for name, kind, options in label_files(source, place):
        yield from _usable(source, kind.rows(place, name, options), name, tally)


def _usable(source: Source, rows: Iterable[Row | Unusable], name: str, tally: Tally) -> Iterator[Row]:
    for found in rows:
        if isinstance(found, Unusable):
            tally.add(found)
            continue
        if not (_is_text(found["path"]) and _is_text(found["reference"])):
            tally.add(Unusable("its recording's name is no UTF-8", name))
            continue
        yield found | {"source": source.name, "label_file": name}


def label_files(source: Source, place: Place) -> Iterator[tuple[str, LabelFormat, Options]]:
    """(name, format, options) of every label file of a source.

    Raises `ConfigError` for a name without a file, and a file without a known format.
    """
    named = source.labels.format if source.labels else None
    given = format_named(named, place) if named else None
    options = Options(dict(source.labels.columns) if source.labels else {}, tuple(source.carry))
    name = source.transcripts
    if name == "trans.txt":
        name = "*.trans.txt"
    if name is None and given is not None:
        name = {"librispeech": "*.trans.txt", "vctk": ".", "kaldi": "."}.get(given.name, f"*{given.beside}")
    if name is None or name == "*":
        raise ConfigError(f"source {source.name!r}: `labels` needs `transcripts`, the file that they are in")
    if name.startswith("*.") and "/" not in name:
        yield from _beside(place, name[1:], given, options)
    elif RANGE.search(name):
        for each in expanded(name):
            yield each, given or recognise(place, each), options
    elif any(mark in name for mark in "*?[") and not place.has(name):
        found = False
        for each in place.walk(name):
            found = True
            yield each, given or recognise(place, each), options
        if not found:
            raise ConfigError(f"source {source.name!r}: no file under {source.path} fits transcripts {name!r}")
    else:
        kind = given or recognise(place, name)
        alone = kind.beside and place.has(name)
        yield name, kind, (_with_recording(place, name, options) if alone else options)


def expanded(name: str) -> Iterator[str]:
    """The names that NeMo's `_OP_0..7_CL_` (or `{0..7}`) stands for."""
    match = RANGE.search(name)
    if match is None:
        yield name
        return
    first, last = (int(value) for value in match.groups() if value is not None)
    if last < first or last - first >= MOST_FILES:
        raise ConfigError(f"transcripts {name!r}: from {first} to {last} is no range of at most {MOST_FILES:,} files")
    for number in range(first, last + 1):
        yield from expanded(f"{name[: match.start()]}{number}{name[match.end() :]}")


def _beside(
    place: Place, ending: str, given: LabelFormat | None, options: Options
) -> Iterator[tuple[str, LabelFormat, Options]]:
    """The file with this ending beside each recording; of LibriSpeech's, those in each recording's folder."""
    by_ending = {f.beside.lower(): f for f in formats().values() if f.beside}
    if ending == ".trans.txt":
        for name in place.walk(f"**/*{ending}"):
            yield name, given or format_named("librispeech", place), options
        return
    kind = given or by_ending.get(ending.lower())
    if kind is None:
        raise ConfigError(
            f"source {place.source!r}: no label format has files that end with {ending!r} beside each recording; "
            f"such endings: {', '.join(sorted(f.beside for f in by_ending.values()))}"
        )
    folder, names = None, {}
    for path in place.audio():
        here = str(PurePosixPath(path).parent)
        if here != folder:
            folder = here
            names = {n[: -len(ending)]: n for n in place.names(here) if n.lower().endswith(ending.lower())}
            tagged = {os.path.splitext(k)[0]: n for k, n in names.items() if kind.name in ("srt", "vtt", "ttml")}
            names = tagged | names
        if name := names.get(os.path.splitext(os.path.basename(path))[0]):
            whole = name if here == "." else f"{here}/{name}"
            yield whole, kind, Options(options.columns, options.carry, path)


def _with_recording(place: Place, name: str, options: Options) -> Options:
    """Options that name the recording a file of one recording lies beside, where there is exactly one in its folder."""
    if name.endswith((".ctm", ".stm", ".rttm")):
        return options
    folder = str(PurePosixPath(name).parent)
    names = [n for n in place.names(folder) if os.path.splitext(n)[0] == stem(name) and n != PurePosixPath(name).name]
    audio = [n for n in names if _is_audio(n)]
    if len(audio) != 1:
        return options
    return Options(options.columns, options.carry, audio[0] if folder == "." else f"{folder}/{audio[0]}")


def _is_audio(name: str) -> bool:
    from .rows import AUDIO_ENDINGS

    return os.path.splitext(name)[1].lower() in AUDIO_ENDINGS


def _is_text(value: str | None) -> bool:
    if value is None or value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
