"""What the explorer reads: published versions of one dataset, each opened once and its profile computed once."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ...schemas.derived import PROFILE_SCHEMA
from ...schemas.version import VersionDocument
from ..drawing.profile import profile
from ..drawing.rules import rules_of
from .sounds import Hearing, Sources
from .tables import ClipTable

T = TypeVar("T")


class Reader(Protocol):
    """One opened version; `auricle.loaders.open_version` gives one."""

    @property
    def document(self) -> VersionDocument:
        """The version document."""
        ...

    def files(self) -> list[Path]:
        """Local Parquet parts of the clip table."""
        ...

    def derived(self, name: str) -> bytes | None:
        """A file derived from the version, None when it was not made."""
        ...


class Dataset(Protocol):
    """The versions of one dataset."""

    @property
    def name(self) -> str:
        """What the pages call it."""
        ...

    def numbers(self) -> list[int]:
        """Published versions, ascending."""
        ...

    def open(self, number: int) -> Reader:
        """One of them. Raises `AuricleError` when it cannot be read."""
        ...


class StoredDataset:
    """A dataset on disk or in an object store."""

    def __init__(self, url: str) -> None:
        from ...loaders.storage.store import Store

        self._store = Store(url)
        self.name = self._store.url.rstrip("/").rsplit("/", 1)[-1]

    def numbers(self) -> list[int]:
        """Published versions that are not retired, ascending."""
        from ...loaders.reading.refs import readable

        return readable(self._store)

    def open(self, number: int) -> Reader:
        """One of them, through the loaders."""
        from ...loaders.reading.version import open_version

        return open_version(self._store, number)


class Opened:
    """One version with everything that pages ask of it, computed when first asked for."""

    def __init__(self, reader: Reader, hearing: Hearing) -> None:
        self.reader, self.document = reader, reader.document
        self.sources = Sources(reader.document.config, hearing)
        self._lock = threading.RLock()

    @cached_property
    def table(self) -> ClipTable:
        """The flat clip table."""
        with self._lock:
            return ClipTable(self.reader.files())

    @cached_property
    def profile(self) -> dict[str, Any]:
        """As stored beside the version, or computed now."""
        with self._lock:
            stored = self.json("profile.json")
            if stored and stored.get("schema") == PROFILE_SCHEMA:
                return stored
            return profile(self.reader.files(), self.document.curators, rules_of(self.document.config))

    def json(self, name: str) -> dict[str, Any] | None:
        """A derived JSON file; None when it is absent or not a JSON object."""
        data = self.reader.derived(name)
        try:
            found = json.loads(data) if data else None
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    @cached_property
    def descriptions(self) -> dict[str, dict[str, str]]:
        """Score column -> curator, unit, dtype, description."""
        return {c["name"]: {"curator": n, **c} for n, e in self.document.curators.items() for c in e.columns}


class Catalog:
    """Opened versions and comparisons, the least recently used ones closed."""

    def __init__(self, dataset: Dataset, hearing: Hearing = Hearing(), keep: int = 6) -> None:
        self.dataset, self._hearing = dataset, hearing
        self._versions: Recent[Opened] = Recent(keep)
        self._pairs: Recent[ClipTable] = Recent(keep)
        self._documents: dict[int, VersionDocument] = {}

    def numbers(self) -> list[int]:
        """Published versions, ascending."""
        return self.dataset.numbers()

    def documents(self) -> list[VersionDocument]:
        """Of all published versions, ascending; each is read once, and the versions are listed once per call."""
        published = self.numbers()
        # what a takedown retired is forgotten
        self._documents = {n: d for n, d in self._documents.items() if n in published}
        for number in published:
            if number not in self._documents:
                self._documents[number] = self.dataset.open(number).document
        return [self._documents[number] for number in published]

    def version(self, number: int) -> Opened | None:
        """None for a number that is not published."""
        if number not in self.numbers():
            return None
        return self._versions.get(number, lambda: Opened(self.dataset.open(number), self._hearing))

    def pair(self, before: Opened, now: Opened) -> ClipTable:
        """The table of `now` with that of `before` beside it."""
        key = (before.document.number, now.document.number)
        return self._pairs.get(key, lambda: ClipTable(now.reader.files(), before.reader.files()))


class Recent(Generic[T]):
    """The last few things that were made, by key. Published versions never change, so neither do they."""

    def __init__(self, keep: int) -> None:
        self._made: OrderedDict[Hashable, T] = OrderedDict()
        self._keep, self._lock = keep, threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The thing of `key`, made now if need be. What falls out stays usable by whoever holds it."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            self._made.move_to_end(key)
            while len(self._made) > self._keep:
                self._made.popitem(last=False)
            return self._made[key]
