"""Steps that never return: the worker process ends, and the clip is judged like one that kills workers.

A decoder, a curator, an extractor, in this package or in another's: what runs inside `bounded` has so long and no
longer. The kernel's own timer ends the process, because native code that waits cannot be interrupted from within
Python, and code that keeps the interpreter to itself (a regular expression) lets no thread of Python run.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LIMIT_S = float(os.environ.get("AURICLE_DECODE_LIMIT_S", "60"))
"""Longest wait for one block of samples. A block of 16 s decodes in well under a second; a network disk that stalls
this long costs a retry, not the file."""
TIMES_AUDIO = 10
"""A step that works on audio has at least this many times its duration."""
HUNG = "hung"
"""Key of an item whose steps were seen to hang: their names and what to say of them. The work leaves them out."""
EXIT_CODE = -signal.SIGALRM
"""What the process ends with, as `subprocess` and `multiprocessing` show a signal."""


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """What has to return in time."""

    deadline_s: float
    """On the monotonic clock."""
    limit_s: float
    name: str
    """Of the curator or the representation; "" for a decoder."""

    def __str__(self) -> str:
        if self.name:
            return f"{self.name} took longer than {self.limit_s:g} s"
        return f"its decoder gave nothing for {self.limit_s:g} s"


_running: list[Step] = []
_lock = threading.Lock()
_announce: Callable[[Step], None] | None = None


def exit_when_hung(announce: Callable[[Step], None] = lambda step: None) -> None:
    """From now on this process ends when a step takes longer than it may. For worker processes only.

    announce: told which step is the next to end the process, whenever that changes.
    """
    global _announce
    _announce = announce
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def allowed_s(limit_s: float, audio_s: float) -> float:
    """How long a step may take over `audio_s` seconds of audio: `limit_s`, or `TIMES_AUDIO` times the audio."""
    return max(limit_s, TIMES_AUDIO * audio_s)


@contextlib.contextmanager
def bounded(name: str = "", limit_s: float | None = None) -> Iterator[None]:
    """What happens inside may take `limit_s` (default: `LIMIT_S`); without effect in a process that is not a worker."""
    limit_s = LIMIT_S if limit_s is None else limit_s
    step = Step(time.monotonic() + limit_s, limit_s, name)
    with _lock:
        _running.append(step)
        _arm()
    try:
        yield
    finally:
        with _lock:
            _running.remove(step)
            _arm()


def _arm() -> None:
    """Set the timer to the first deadline of what runs, in any thread."""
    if _announce is None:
        return
    first = min(_running, default=None)
    if first is None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        return
    _announce(first)
    signal.setitimer(signal.ITIMER_REAL, max(first.deadline_s - time.monotonic(), 1e-3))
