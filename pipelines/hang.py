"""A decoder that never returns: the worker process ends itself, and the file is judged like one that kills workers."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

LIMIT_S = float(os.environ.get("AURICLE_DECODE_LIMIT_S", "60"))
"""Longest wait for one block of samples. A block of 16 s decodes in well under a second; a network disk that stalls
this long costs a retry, not the file."""
EXIT_CODE = 124
"""What the process ends with; `timeout` uses the same number."""

_deadline: float | None = None
_thread: threading.Thread | None = None


def exit_when_hung() -> None:
    """From now on this process ends when a block takes longer than `LIMIT_S`. For worker processes only.

    A thread that waits in native code cannot be interrupted from within Python, and a signal handler would wait
    until it returns; ending the process is the one way out.
    """
    global _thread
    if _thread is None:
        _thread = threading.Thread(target=_watch, name="decode-watch", daemon=True)
        _thread.start()


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """What happens inside may take `LIMIT_S`; without effect in a process that is not a worker."""
    global _deadline
    _deadline = time.monotonic() + LIMIT_S
    try:
        yield
    finally:
        _deadline = None


def _watch() -> None:
    while True:
        time.sleep(min(LIMIT_S / 4, 1.0))
        deadline = _deadline
        if deadline is not None and time.monotonic() > deadline:
            os._exit(EXIT_CODE)
