"""What a label format is: how to tell it, and how to read it. Other packages give their own (docs/labels.md)."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from .place import Place
from .rows import Row, Unusable

FIRST_LINES = 20
"""Among which a file is recognised: the first may be broken."""


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
        """The JSON object of the first of its first lines that is one, however long; None where none is."""
        if not self.place.has(self.name):
            return None
        with self.place.lines(self.name) as lines, contextlib.suppress(OSError, EOFError):
            for line in islice(lines, FIRST_LINES):
                with contextlib.suppress(ValueError, RecursionError):
                    found = json.loads(line)
                    if isinstance(found, dict):
                        return found
        return None

    def keys(self) -> frozenset[str]:
        """Keys of that object."""
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
