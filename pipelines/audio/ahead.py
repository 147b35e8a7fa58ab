"""Clips decoded ahead by threads, so that a codec on a GPU does not wait for a decoder."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

from .clip_reader import Decoded, read_clips

CLIPS_AHEAD = 8
"""Of one recording: with a recording of long clips more would fill the memory."""
LOOK_S = 0.2
"""How soon a thread notices that nobody reads on."""
_Slot = queue.Queue[Decoded | BaseException | None]


def read_ahead(items: Sequence[dict[str, Any]], threads: int) -> Iterator[Decoded]:
    """`read_clips`, with up to `threads` recordings decoded at once ahead of the caller; the same clips in the same
    order."""
    if threads < 1:
        yield from read_clips(items)
        return
    groups = deque(list(group) for _, group in groupby(items, key=lambda item: (item["recording"], item["uri"])))
    over = threading.Event()
    slots: deque[_Slot] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as executor:
        try:
            while groups or slots:
                while groups and len(slots) < 2 * threads:
                    slots.append(queue.Queue(CLIPS_AHEAD))
                    executor.submit(_read, groups.popleft(), slots[-1], over)
                slot = slots.popleft()
                while (found := slot.get()) is not None:
                    if isinstance(found, BaseException):
                        raise found
                    yield found
        finally:
            over.set()


def _read(items: list[dict[str, Any]], slot: _Slot, over: threading.Event) -> None:
    try:
        for pair in read_clips(items):
            if not _put(slot, pair, over):
                return
        _put(slot, None, over)
    except BaseException as error:
        _put(slot, error, over)


def _put(slot: _Slot, what: Decoded | BaseException | None, over: threading.Event) -> bool:
    """False when nobody reads on."""
    while not over.is_set():
        try:
            slot.put(what, timeout=LOOK_S)
            return True
        except queue.Full:
            continue
    return False
