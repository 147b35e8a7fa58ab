"""One storage layer for local folders and object stores: whole objects, byte ranges, put-if-absent."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, PreconditionError
from obstore.store import HTTPStore, LocalStore, from_url

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig

from ...schemas.errors import ConfigError, IntegrityError, NoDatasetError, StorageError
from .retries import ATTEMPTS, ATTEMPTS_ON_THE_WEB, RETRY, first_line, persist

log = logging.getLogger(__name__)
Result = TypeVar("Result")
BUCKETS = ("s3", "s3a", "gs", "az")
SETTINGS = ("AWS_", "GOOGLE_", "AZURE_")
"""How the variables begin that say where buckets are and who asks."""
STALLED = timedelta(seconds=60)
"""A request that takes longer is given up and tried again."""
COALESCED_BYTES = 64 << 10
"""Gap between two ranges that is read with them."""
AT_ONCE = 32
"""Requests under way at once, where there are many small ones."""
HELD_BYTES = 256 << 20
"""Of objects that are read whole at once: fewer requests are under way where objects are large."""
PAGE = 1000
"""Objects that one listing request gives."""
STAGED = re.compile(r".*#\d+")
"""Name of the file that a write on a disk fills before it takes its own name; one that was killed leaves it there."""
STILL_S = 60.0
"""Seconds without a change after which such a file counts as left behind, where the system cannot say who writes."""
COMPARED_BYTES = 1 << 20
"""Largest object that is read again to tell whether a repeated request had succeeded."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object as a listing shows it."""

    path: str
    size: int
    modified_s: float
    etag: str | None = None


class Store:
    """A folder or an object-store prefix. Paths are relative and `/`-separated; they never leave the root.

    Writes go through `put_new` (exclusive create, never overwrites), which is atomic on both kinds of store:
    a reader sees the whole object or none. Errors of the store raise `StorageError`.
    """

    def __init__(self, url: str, *, create: bool = False) -> None:
        self.url = normalise_url(url)
        self.root: Path | None = None
        try:
            if self.url.startswith("file://"):
                self.root = Path(unquote(urlsplit(self.url).path))
                if not create and not self.root.is_dir():
                    raise NoDatasetError(
                        f"no dataset at {self.root}: there is no such folder. Check the path, or make the dataset "
                        "with `auricle run`"
                    )
                self._store = LocalStore(self.root, mkdir=create)
            elif self.is_web:
                if create:
                    raise ConfigError(f"{url}: nothing can be written there; give a local path or s3://bucket/prefix")
                options = _client() | {"allow_http": self.url.startswith("http://")}
                self._store = HTTPStore.from_url(self.url, client_options=options, retry_config=RETRY)
            else:
                self._store = from_url(self.url, retry_config=RETRY, client_options=_client())  # pyright: ignore[reportArgumentType, reportCallIssue]
        except (BaseError, ValueError, OSError) as error:
            why = "a file is in its place" if self.root is not None and self.root.is_file() else first_line(error)
            raise StorageError(f"{url}: the folder cannot be opened or made: {why}") from error

    def __reduce__(self) -> tuple[type[Store], tuple[str]]:
        return type(self), (self.url,)

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    @property
    def is_web(self) -> bool:
        """Whether it is a plain web server: read only, without a listing."""
        return self.url.startswith(("http://", "https://"))

    def get(self, path: str) -> bytes:
        """The whole object. Raises `IntegrityError` when it does not exist."""
        try:
            return self._persist(path, lambda: bytes(obstore.get(self._store, path).bytes()))
        except FileNotFoundError as error:
            raise IntegrityError(f"{self.url}/{path}: the object is missing") from error
        except (BaseError, OSError) as error:
            raise StorageError(f"{self.url}/{path}: cannot be read: {first_line(error)}") from error

    def pieces(self, path: str, most: int) -> Iterator[bytes]:
        """The object in order, at most `most` bytes at a time; one request where it is no larger. Raises as `get`."""

        def first() -> bytes | int:
            found = obstore.get(self._store, path)
            size = int(found.meta["size"])
            # what is larger is not read by this request
            return bytes(found.bytes()) if size <= most else size

        try:
            whole = self._persist(path, first)
        except FileNotFoundError as error:
            raise IntegrityError(f"{self.url}/{path}: the object is missing") from error
        except (BaseError, OSError) as error:
            raise StorageError(f"{self.url}/{path}: cannot be read: {first_line(error)}") from error
        if isinstance(whole, bytes):
            yield whole
            return
        for start in range(0, whole, most):
            yield from self.get_ranges(path, [start], [min(most, whole - start)])

    def get_ranges(self, path: str, starts: Sequence[int], lengths: Sequence[int]) -> list[bytes]:
        """Byte ranges of one object; neighbours are coalesced into fewer requests."""
        try:
            return self._ranges(path, starts, lengths)
        except FileNotFoundError as error:
            raise IntegrityError(f"{self.url}/{path}: the object is missing") from error
        except (BaseError, OSError) as error:
            raise StorageError(f"{self.url}/{path}: cannot be read: {first_line(error)}") from error

    def put_new(self, path: str, data: bytes | Path, *, durable: bool = True) -> bool:
        """Create the object; False, and nothing written, when the path already exists.

        durable: on a disk, wait until it would outlive a power cut.
        On an object store, a small object that exists with exactly these bytes counts as created here: writers that
        race put something of their own into what they write.
        """
        try:
            self._persist(path, lambda: obstore.put(self._store, path, data, mode="create"))
        except (AlreadyExistsError, PreconditionError):
            # a request whose answer was lost may have been repeated after it had succeeded: the object is then ours
            small = isinstance(data, bytes) and len(data) <= COMPARED_BYTES
            return self.root is None and small and self.get(path) == data
        except (BaseError, OSError) as error:
            raise StorageError(f"{self.url}/{path}: cannot be written: {first_line(error)}") from error
        if self.root is not None and durable:
            _sync(self.root / path)
        return True

    def put_derived(self, path: str, data: bytes) -> None:
        """Write something rebuildable, in place of what was there."""
        try:
            # in one request: parts of an upload that was killed stay on an object store, and no listing shows them
            self._persist(path, lambda: obstore.put(self._store, path, data, use_multipart=False))
        except (BaseError, OSError) as error:
            raise StorageError(f"{self.url}/{path}: cannot be written: {first_line(error)}") from error

    def exists(self, path: str) -> bool:
        """Whether an object is at `path`."""
        return self.size(path) is not None

    def size(self, path: str) -> int | None:
        """Bytes of the object, None when there is none."""
        try:
            return self._persist(path, lambda: obstore.head(self._store, path)["size"])
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise StorageError(f"{self.url}/{path}: cannot be read: {first_line(error)}") from error

    def entry(self, path: str) -> Entry | None:
        """One object as a listing shows it, None when there is none."""
        try:
            meta = self._persist(path, lambda: obstore.head(self._store, path))
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise StorageError(f"{self.url}/{path}: cannot be read: {first_line(error)}") from error
        return Entry(meta["path"], meta["size"], meta["last_modified"].timestamp(), meta.get("e_tag"))

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Every object below `prefix` (a folder), in no particular order."""
        try:
            for batch in list(obstore.list(self._store, prefix=prefix or None)) if self.root else self._pages(prefix):
                for meta in batch:
                    yield Entry(meta["path"], meta["size"], meta["last_modified"].timestamp(), meta.get("e_tag"))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise StorageError(f"{self.url}/{prefix}: cannot be listed: {first_line(error)}") from error

    def left_behind(self, folder: str = "") -> list[Entry]:
        """Files below `folder` that killed writes left on a disk beside their targets (`objects/x.parquet#1`): no
        listing shows them. Not those that a process is still writing. Empty on an object store."""
        found: list[Entry] = []
        for parent, _, names in os.walk(self.root / folder) if self.root is not None else ():
            for name in names:
                file = Path(parent, name)
                with contextlib.suppress(FileNotFoundError):
                    if STAGED.fullmatch(name) and not _is_written(file):
                        stat = file.stat()
                        assert self.root is not None
                        found.append(Entry(file.relative_to(self.root).as_posix(), stat.st_size, stat.st_mtime))
        return sorted(found, key=lambda entry: entry.path)

    def delete(self, paths: Sequence[str]) -> None:
        """Remove objects, and files that writes left behind; absent ones are fine."""
        for _ in self.each(self._delete, paths):
            pass

    def each(
        self, operation: Callable[[str], Result], paths: Sequence[str], largest_bytes: int = 0
    ) -> Iterator[Result]:
        """What a method of one path gives for each of many, in order: `store.each(store.size, paths)`.

        On an object store, where one request takes as long as many, up to `AT_ONCE` are under way; on a disk, one. The
        first error, in the order of the paths, is raised and nothing further is started.
        largest_bytes: of the objects, where they are read whole; those under way then hold `HELD_BYTES` together.
        """
        if self.root is not None or len(paths) < 2:
            yield from map(operation, paths)
            return
        most = min(at_once(largest_bytes), len(paths))
        with ThreadPoolExecutor(most, "auricle-store") as pool:
            yield from in_order(pool, (partial(operation, path) for path in paths), most)

    def _delete(self, path: str) -> None:
        try:
            if self.root is not None and STAGED.fullmatch(path):
                (self.root / path).unlink(missing_ok=True)
                return
            self._persist(path, lambda: obstore.delete(self._store, path))
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise StorageError(f"{self.url}/{path}: cannot be deleted: {first_line(error)}") from error

    def _ranges(self, path: str, starts: Sequence[int], lengths: Sequence[int]) -> list[bytes]:
        try:
            found = obstore.get_ranges(self._store, path, starts=starts, lengths=lengths, coalesce=COALESCED_BYTES)
            return [bytes(part) for part in found]
        except GenericError as error:
            if self.root is not None:
                raise
            log.warning("%s/%s: %s; its ranges are asked for one by one", self.url, path, first_line(error))
        # of many requests at once one always fails, where one in a few does
        get = partial(obstore.get_range, self._store, path)
        return [
            bytes(self._persist(path, partial(get, start=start, length=length)))
            for start, length in zip(starts, lengths, strict=True)
        ]

    def _pages(self, prefix: str) -> Iterator[Sequence[ObjectMeta]]:
        """A listing page by page, so that only the page that failed is asked for again."""
        last = None
        while True:
            ask = partial(obstore.list, self._store, prefix=prefix or None, offset=last, chunk_size=PAGE)
            page = self._persist(prefix, lambda ask=ask: next(iter(ask()), []))
            yield page
            if len(page) < PAGE:
                return
            last = page[-1]["path"]

    def _persist(self, path: str, operation: Callable[[], Result]) -> Result:
        """The operation's result; on an object store one that failed in passing is tried again, a few times."""
        most = 1 if self.root is not None else ATTEMPTS_ON_THE_WEB if self.is_web else ATTEMPTS
        return persist(operation, self.url, path, most)

    def local(self, path: str, cache: Path) -> Path:
        """A local file with the object's bytes: the object itself on a local store, else a copy under `cache`.

        Only for immutable objects: a copy that exists is taken as it is.
        """
        if self.root is not None:
            return self.root / path
        copy = cache / path
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            part = copy.with_name(f"{copy.name}.{os.getpid()}.part")
            part.write_bytes(self.get(path))
            part.replace(copy)
        return copy


def located(uri: str) -> tuple[Store, str]:
    """The store of an object's URI, and the object's path in it; web servers and buckets stay open.

    A bucket that is opened for each object would shake hands with its server for each.
    """
    if uri.startswith(("http://", "https://")):
        scheme, _, rest = uri.partition("://")
        host, _, path = rest.partition("/")
        # escaped again when it is asked for
        return _opened(f"{scheme}://{host}"), unquote(path)
    scheme, _, rest = uri.partition("://")
    if scheme in BUCKETS:
        bucket, _, name = rest.partition("/")
        # what the environment says of a server is read when a bucket is opened
        said = tuple(sorted(item for item in os.environ.items() if item[0].startswith(SETTINGS)))
        return _bucket(f"{scheme}://{bucket}", os.getpid(), said), name
    folder, _, name = uri.rpartition("/")
    return Store(folder), name


@lru_cache(maxsize=64)
def _bucket(url: str, pid: int, said: tuple[tuple[str, str], ...]) -> Store:
    # connections survive no fork: each process has its own
    return Store(url)


@lru_cache(maxsize=256)
def _opened(server: str) -> Store:
    return Store(server)


def at_once(largest_bytes: int) -> int:
    """How many objects of at most so many bytes are asked for at once."""
    return max(1, min(AT_ONCE, HELD_BYTES // max(largest_bytes, 1)))


def in_order(pool: ThreadPoolExecutor, jobs: Iterable[Callable[[], Result]], most: int) -> Iterator[Result]:
    """Results in the order of the jobs, with at most `most` jobs started and unread.

    The first error, in that order, is raised; what is not started then, or when the iteration is given up, never is.
    """
    waiting: deque[Future[Result]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(job))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def normalise_url(url: str) -> str:
    """`file:///abs/path` for local paths, other URLs as they are without a trailing slash."""
    scheme = urlsplit(url).scheme
    if scheme in ("", "file"):
        path = Path(unquote(urlsplit(url).path) if scheme else url).expanduser().absolute()
        return path.as_uri()
    if scheme not in ("s3", "s3a", "gs", "az", "memory", "http", "https"):
        raise ConfigError(f"{url}: unknown kind of storage {scheme!r}; give a local path or s3://bucket/prefix")
    return url.rstrip("/")


def _client() -> ClientConfig:
    # options given here replace those of the environment, so the one that matters is read again
    plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("true", "1")
    return {"timeout": STALLED, "connect_timeout": timedelta(seconds=10), "allow_http": plain}


def _is_written(path: Path) -> bool:
    """Whether some process has the file open for writing. Where the file system cannot tell (a network's, another
    user's file), whether it changed in the last `STILL_S`."""
    with path.open("rb") as file:
        try:
            # granted only while nobody writes; given back by closing. Nobody opens such a file a second time
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return True
        except (OSError, AttributeError):
            return time.time() - path.stat().st_mtime < STILL_S
    return False


def _sync(path: Path) -> None:
    """Flush a new file and its folder, so that a receipt on disk implies its payload on disk."""
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
