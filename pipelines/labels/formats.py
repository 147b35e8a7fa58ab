"""What a label format is: how to tell it, and how to read it. Other packages give their own (docs/labels.md)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from .place import Place
from .rows import Row, Unusable


@dataclass(frozen=True)
class Found:
    """A label file that is to be recognised."""

    place: Place
    name: str
    """Relative to the source; a folder for conventions that are several files."""

    @cached_property
    def head(self) -> str:
        """Its first characters; empty for a folder."""
        return self.place.head(self.name) if self.place.has(self.name) else ""

    @cached_property
    def ending(self) -> str:
        """ ".tsv", in small letters, without .gz."""
        return os.path.splitext(self.name.lower().removesuffix(".gz"))[1]

    @cached_property
    def base(self) -> str:
        """Its name without folders."""
        return PurePosixPath(self.name).name

    @cached_property
    def first(self) -> Any:
        """The first JSON value of its first filled line; None where that is none."""
        line = next((line for line in self.head.splitlines() if line.strip()), "")
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            return None

    def keys(self) -> frozenset[str]:
        """Keys of the first line's object."""
        return frozenset(self.first) if isinstance(self.first, dict) else frozenset()


@dataclass(frozen=True)
class Options:
    """What the configuration adds to a label file."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Ours (file, transcript, speaker, language, channel, start_s, end_s, duration_s) to the table's own."""
    carry: tuple[str, ...] = ()
    """Further columns to take along."""
    recording: str | None = None
    """Path of the recording that the label file lies beside; None: the one that is called like it."""


Rows = Callable[[Place, str, Options], Iterator[Row | Unusable]]


@dataclass(frozen=True)
class LabelFormat:
    """One convention. `rows` streams: it never holds a whole table."""

    name: str
    summary: str
    """What it looks like, in one line."""
    fits: Callable[[Found], bool]
    rows: Rows
    beside: str = ""
    """Ending of the file that lies beside each recording, for conventions that have one per recording."""
