"""Files looked at where they are before anybody opens them: on this machine, in an object store, on a web server."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from ...loaders.storage.store import AT_ONCE, Store, in_order, located
from ...schemas.counted import counted
from ...schemas.errors import StorageError

GONE, UNANSWERED = "gone", "unanswered"
"""There is no such file; or nobody can say now whether there is."""
LOOKED_AT = 1 << 10
"""Files that are held at once."""


@dataclass
class LeftOut:
    """What of one kind was left out."""

    count: int = 0
    example: str = ""

    def add(self, example: str) -> None:
        self.count += 1
        self.example = self.example or example

    def merge(self, other: LeftOut) -> None:
        """Add what was counted elsewhere."""
        self.count += other.count
        self.example = self.example or other.example

    def shown(self) -> str:
        """The example as it may be printed."""
        return self.example.encode(errors="replace").decode()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file system or server says of a file before it is opened."""

    size: int = 0
    mtime_ns: int = 0
    etag: str | None = None
    absent: str | None = None
    why: str = ""


@dataclass
class Looking:
    """Asks for the facts of files wherever they are, many servers at once; counts those that are not there."""

    gone: LeftOut = field(default_factory=LeftOut)
    unanswered: LeftOut = field(default_factory=LeftOut)
    _buckets: dict[str, Store] = field(default_factory=dict)

    def each(self, uris: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, Facts]]:
        """(path, URI, facts) of each (path, URI), in order."""
        waiting = iter(uris)
        with ThreadPoolExecutor(AT_ONCE, "auricle-list") as pool:
            while held := list(islice(waiting, LOOKED_AT)):
                far = in_order(pool, (self._asking(uri) for _, uri in held if "://" in uri), AT_ONCE)
                for path, uri in held:
                    found = next(far) if "://" in uri else facts_here(uri)
                    if found.absent == GONE:
                        self.gone.add(path)
                    elif found.absent == UNANSWERED:
                        self.unanswered.add(f"{path} ({found.why})")
                    yield path, uri, found

    def notices(self, source: str) -> Iterator[str]:
        """A line per kind of file that is not there."""
        if self.gone.count:
            gone = f"{counted(self.gone.count, 'file that it names is', 'files that it names are')} not there"
            yield f"source {source!r}: {gone}, for example {self.gone.shown()}"
        if self.unanswered.count:
            files = counted(self.unanswered.count, "file")
            yield (
                f"source {source!r}: {files} that it names cannot be looked at now. Those that "
                f"are known stay, and the others are tried again; for example {self.unanswered.shown()}"
            )

    def _asking(self, uri: str) -> Callable[[], Facts]:
        scheme, _, rest = uri.partition("://")
        if scheme in ("http", "https"):
            return partial(_facts_there, *located(uri))
        bucket, _, name = rest.partition("/")
        if (url := f"{scheme}://{bucket}") not in self._buckets:
            self._buckets[url] = Store(url)
        return partial(_facts_there, self._buckets[url], name)


def facts_here(path: str) -> Facts:
    """Of a file on this machine."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Facts(absent=GONE)
    except (OSError, ValueError) as error:
        return Facts(absent=UNANSWERED, why=str(getattr(error, "strerror", None) or error))
    if not stat.S_ISREG(found.st_mode):
        return Facts(absent=GONE)
    return Facts(found.st_size, found.st_mtime_ns)


def _facts_there(store: Store, name: str) -> Facts:
    try:
        found = store.entry(name)
    except StorageError as error:
        return Facts(absent=UNANSWERED, why=str(error).removeprefix(f"{store.url}/{name}: "))
    if found is None:
        return Facts(absent=GONE)
    return Facts(found.size, int(found.modified_s * 1e9), found.etag)
