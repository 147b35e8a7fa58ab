"""What a kind of source is, and which there are. Other packages give their own (docs/sources.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from ...schemas.errors import ConfigError
from ...schemas.sources import READ_FROM
from ..labels.formats import Options
from ..labels.rows import Row, Unusable

ENTRY_POINT_GROUP = "auricle.sources"
"""Another package adds a kind by an entry point in this group: its name = "package.module:KIND"."""
BUILT_IN = {"auricle": "versions:KIND", "hf": "hub:KIND"}
"""Name to "module:attribute", the module in this room. Imported when first asked for."""
STORES = frozenset({*READ_FROM, "memory"})
SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of a source."""

    path: str
    """What it is called in the source, `/`-separated: in the tables, and by labels."""
    size: int | None = None
    """Bytes, about; None where it lies at `uri` as a file or object and is looked at there."""
    mtime_ns: int = 0
    etag: str | None = None
    """Whatever changes with the bytes: one whose size, time and etag stay is not read again."""
    uri: str | None = None
    """What opens it; None for the path of the source, a slash and its own."""


@dataclass(frozen=True)
class SourceKind:
    """One kind of source, `<name>://whatever`. Its functions get that path as the configuration has it."""

    name: str
    """The word before ://."""
    summary: str
    recordings: Callable[[str], Iterator[Recording | Unusable]]
    """The recordings that are there now, streamed."""
    read: Callable[[str], Iterator[bytes]]
    """The bytes of a recording by its URI, in pieces, in whatever process. Raises `FileNotFoundError` for one that is
    gone, another `OSError` for one that cannot be had now."""
    labels: Callable[[str, Options], Iterator[Row | Unusable]] | None = None
    """Its labels, where it has any: `labels.rows.label` by the recording's path."""


def kind_of(path: str) -> SourceKind | None:
    """The kind of a source's path or a recording's URI; None for files, object stores and web servers.

    Raises `ConfigError` with the known names for any other, and for an entry point that fails.
    """
    found = SCHEME.match(path)
    name = found[1].lower() if found else ""
    if not name or name in STORES:
        return None
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        return getattr(import_module(f".{module}", __package__), attribute)
    point = _installed().get(name)
    if point is None:
        known = sorted({*BUILT_IN, *_installed(), *STORES} - {"memory"})
        raise ConfigError(
            f"{path}: no kind of source is called {name!r}; there are {', '.join(known)}. A kind of another package "
            f"registers under the entry-point group {ENTRY_POINT_GROUP!r}"
        )
    return _loaded(point)


@lru_cache
def _loaded(point: EntryPoint) -> SourceKind:
    try:
        kind = point.load()
    except Exception as error:
        raise ConfigError(f"source kind {point.name!r} ({point.value}) cannot be imported: {error}") from error
    if not isinstance(kind, SourceKind) or kind.name != point.name:
        raise ConfigError(f"source kind {point.name!r} ({point.value}) is no SourceKind of that name")
    return kind


@lru_cache(maxsize=1)
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name not in BUILT_IN}
