"""What the labels of the sources say, read into tables; and which of them fit nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pyarrow as pa

from ...schemas.config import RunConfig
from ...schemas.counted import counted
from ...schemas.source_config import Source
from ...schemas.sql import literal
from ..labels.formats import Options
from ..labels.read import Packed, Tally, read_labels, read_packed
from ..labels.resolve import resolve
from ..labels.rows import LABELS, Unusable
from ..labels.rows import Row as LabelRow
from ..sources.kinds import kind_of
from ..work.hang import Step
from ..work.own_process import here_first, run_each
from . import label_lines
from .state import State


def take_labels(state: State, config: RunConfig) -> list[str]:
    """After `files_listed`: tables `labels_read`, `labels` and `label_tallies`; returns notices."""
    tallies: list[Tally] = []
    rows = read_labels(config.sources, partial(_paths, state), tallies, _own_labels, spread)
    state.fill("labels_read", LABELS, rows)
    ambiguous = resolve(state.db)
    state.table("label_tallies", label_lines.tallied(tallies))
    return [
        *(tally.notice() for tally in tallies),
        *(
            f"source {source!r}: {counted(count, 'name in its labels fits', 'names in its labels fit')} several "
            f"recordings, and labels none, for example {example}"
            for source, count, example in ambiguous
        ),
        *_labels_of_nothing(state),
        *_recordings_without_labels(state, config),
    ]


def _own_labels(source: Source, options: Options) -> Iterator[LabelRow | Unusable] | None:
    """Labels that a source gives with its recordings; None for one that has them in files."""
    kind = kind_of(source.path)
    if kind is None:
        return None
    return kind.labels(source.path, options) if kind.labels is not None else iter(())


def spread(packed: Sequence[Packed]) -> Iterator[tuple[list[pa.RecordBatch], Tally]]:
    """Labels in archives: where there are many, by processes of this machine."""
    return here_first(read_packed, packed, lambda rest: run_each(read_packed, rest, ended))


def ended(packed: Packed, code: int | None, _: Step | None) -> tuple[list[pa.RecordBatch], Tally]:
    """No labels, and a line that counts as unusable, of an archive that ended the process that read it."""
    tally = Tally(packed.source.name, packed.source.transcripts or "its labels")
    tally.add(Unusable(f"reading the labels in an archive ended the process with code {code}", packed.archive))
    return [], tally


def _paths(state: State, source: str) -> Iterator[str]:
    """Paths of a source's files, sorted, a batch at a time."""
    query = f"SELECT path FROM files_listed WHERE source = {literal(source)} ORDER BY path"
    for batch in state.stream(query):
        yield from batch["path"].to_pylist()


def _labels_of_nothing(state: State) -> list[str]:
    """A line per source whose label files name recordings that are not there: most often a wrong folder."""
    rows = state.sql(
        """SELECT source, count(*) FILTER (f.path IS NULL), count(*), min(l.path) FILTER (f.path IS NULL)
        FROM (SELECT DISTINCT source, path FROM labels) l LEFT JOIN files_listed f USING (source, path)
        GROUP BY source HAVING count(*) FILTER (f.path IS NULL) > 0 ORDER BY source"""
    ).fetchall()
    return [
        f"source {source!r}: {absent:,} of {counted(named, 'recording')} that its labels name "
        f"{'is' if absent == 1 else 'are'} not there, for example {path}"
        for source, absent, named, path in rows
    ]


def _recordings_without_labels(state: State, config: RunConfig) -> list[str]:
    """A line per source of whose recordings its labels describe none: a wrong pattern, and every text is gone."""
    files, labelled = (
        dict(state.sql(f"SELECT source, count(*) FROM {table} GROUP BY source").fetchall())
        for table in ("files_listed", "labels")
    )
    return [
        f"source {source.name!r}: its labels ({source.transcripts}) describe none of its {files[source.name]:,} "
        "recordings; they are taken without text. `auricle inspect` shows which labels fit"
        for source in config.sources
        if source.transcripts is not None and source.name in files and source.name not in labelled
    ]
