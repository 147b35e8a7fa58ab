"""Recordings that this process has open: hashed once, copied from an object store once, decoded on where it stopped.

The units of a long recording come one after the other. What belongs to the recording is done with the first of them.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from ...schemas.errors import ClipError
from ...schemas.sources import uri_name
from ...schemas.tables import FailureReason
from .decode import local_sound
from .held import Held, Sound, sha256_of
from .tape import Tape

MOST = 2
"""Recordings that stay open between units, and copies of them on this machine's disk: a unit ends in one, the next
begins there."""


@dataclass
class Recording:
    """A recording whose bytes were seen to be the ones meant."""

    uri: str
    sha256: str
    path: Sound
    """On this machine."""
    seen: tuple[int, ...]
    """What the file system said of it before it was hashed; nothing of what is in memory."""
    _open: ExitStack
    _tape: Tape | None = field(default=None)

    @property
    def tape(self) -> Tape:
        """Its samples. Raises `ClipError` for what cannot be decoded."""
        if self._tape is None:
            self._tape = Tape(self.path)
            self._open.callback(self._tape.close)
        return self._tape

    def close(self) -> None:
        """Close it and remove its copy."""
        self._open.close()


_kept: OrderedDict[tuple[str, str], Recording] = OrderedDict()
_lock = threading.Lock()


@contextmanager
def opened(uri: str, sha256: str) -> Iterator[Recording]:
    """A recording whose bytes hash to `sha256`; stays open for the next one who asks, in this process.

    A file that the file system shows as unchanged since it was hashed is not hashed again.
    Raises `ClipError` when it is gone, changed or cannot be read.
    """
    with _lock:
        # taken out: two threads never read one tape
        found = _kept.pop((uri, sha256), None)
    if found is not None and not _unchanged(found):
        found.close()
        found = None
    if found is None:
        found = _open(uri, sha256)
    try:
        yield found
    except GeneratorExit:
        _keep(found)
        raise
    except BaseException:
        # where a decoder stands after an error, nobody knows
        found.close()
        raise
    _keep(found)


@atexit.register
def close_all() -> None:
    """Close what is open; at the end of the process as well, while the libraries are still there that close it."""
    with _lock:
        closing = [_kept.popitem()[1] for _ in range(len(_kept))]
    for recording in closing:
        recording.close()


def _keep(recording: Recording) -> None:
    with _lock:
        key = (recording.uri, recording.sha256)
        closing = [old] if (old := _kept.pop(key, None)) else []
        _kept[key] = recording
        while len(_kept) > MOST:
            closing.append(_kept.popitem(last=False)[1])
    for old in closing:
        old.close()


def _open(uri: str, sha256: str) -> Recording:
    with ExitStack() as stack:
        path = stack.enter_context(local_sound(uri))
        try:
            if not path.exists():
                raise ClipError(FailureReason.MISSING, f"{path.name}: gone since it was probed")
            seen = _seen(path)
            if sha256_of(path) != sha256:
                raise ClipError(FailureReason.CHANGED_WHILE_READ, f"{path.name}: its bytes changed since it was probed")
        except OSError as error:
            name = uri_name(uri)
            raise ClipError(FailureReason.UNREADABLE, f"{name}: {error.strerror}") from error
        return Recording(uri, sha256, path, seen, stack.pop_all())


def _unchanged(recording: Recording) -> bool:
    try:
        return _seen(recording.path) == recording.seen
    except OSError:
        return False


def _seen(path: Sound) -> tuple[int, ...]:
    if isinstance(path, Held):
        return ()
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
