"""Which label formats there are, and which one a file has."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points

from ...schemas.errors import ConfigError
from . import beside, documents, kaldi, lhotse, subtitles, tables, textgrid, turns
from .formats import Found, LabelFormat, Options
from .place import Place
from .rows import Row, Unusable

ENTRY_POINT_GROUP = "auricle.labels"
"""Another package adds a format by an entry point in this group: its name = "package.module:FORMAT"."""
BUILT_IN: tuple[LabelFormat, ...] = (
    *kaldi.FORMATS,
    *turns.FORMATS,
    *subtitles.FORMATS,
    *textgrid.FORMATS,
    *beside.FORMATS,
    *lhotse.FORMATS,
    *documents.FORMATS,
    *tables.FORMATS,
    tables.JSON_LINES,
)
"""In the order in which a file is tried."""
BLANK = LabelFormat("blank", "a file without a line", lambda f: not f.head.strip(), lambda *given: iter(()))
"""Tried last: whatever wrote it had nothing to say yet. A table whose header is required is refused before."""


@cache
def formats() -> dict[str, LabelFormat]:
    """Every format by name, those of other packages last. Raises `ConfigError` for one that cannot be imported."""
    known = {found.name: found for found in BUILT_IN}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name in known:
            continue
        try:
            found = point.load()
        except Exception as error:
            raise ConfigError(f"label format {point.name!r} ({point.value}) cannot be imported: {error}") from error
        if not isinstance(found, LabelFormat) or found.name != point.name:
            raise ConfigError(f"label format {point.name!r} ({point.value}) is no LabelFormat of that name")
        known[point.name] = found
    return known


def format_named(name: str, place: Place) -> LabelFormat:
    """The format of a name. Raises `ConfigError` with all names for an unknown one."""
    known = formats()
    if name not in known:
        raise ConfigError(f"source {place.source!r}: no label format {name!r}; formats: {', '.join(sorted(known))}")
    return known[name]


def recognise(place: Place, name: str) -> LabelFormat:
    """The format of a label file. Raises `ConfigError` for one that no format takes."""
    found = Found(place, name)
    for candidate in formats().values():
        if candidate.fits(found):
            return candidate
    if not place.has(name):
        # says that it cannot be read
        place.head(name)
    if BLANK.fits(found):
        return BLANK
    lines = "\n".join(f"  {f.name}: {f.summary}" for f in formats().values())
    raise ConfigError(
        f"source {place.source!r}: transcripts {name!r} is in no form that is known. Name its form with "
        f"`labels: {{format: ...}}`, or a table's columns with `labels: {{columns: {{file: ..., transcript: ...}}}}`. "
        f"Forms:\n{lines}"
    )


def read(place: Place, name: str, options: Options, named: str | None = None) -> Iterator[Row | Unusable]:
    """Rows of one label file in the format of that name, else in the one that it is recognised as."""
    found = format_named(named, place) if named else recognise(place, name)
    return found.rows(place, name, options)
