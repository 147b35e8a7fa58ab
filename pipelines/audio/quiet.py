"""Keep what libsndfile's MP3 decoder prints by itself off the terminal; anything else still reaches it."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from typing import BinaryIO

CHATTER = re.compile(rb"\s*$|Note: |Warning: |\[[^\]]*libmpg123[^\]]*\]")
"""How the lines begin that mpg123 writes past every API: remarks about headers, and errors that it also returns."""
_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def mpg123_quiet() -> Iterator[None]:
    """Catch file descriptor 2 of this process for the duration of the block, then pass on what is not mpg123's.

    For one call into the library, not around a `yield`: other threads that decode wait, and their output is late.
    """
    with _one_at_a_time:
        try:
            kept = os.dup(2)
        except OSError:
            # no standard error to protect
            yield
            return
        try:
            with _scratch() as caught:
                os.dup2(caught.fileno(), 2)
                try:
                    yield
                finally:
                    os.dup2(kept, 2)
                    caught.seek(0)
                    rest = [line for line in caught.read().splitlines(keepends=True) if not CHATTER.match(line)]
                    if rest:
                        os.write(2, b"".join(rest))
        finally:
            os.close(kept)


def _scratch() -> BinaryIO:
    """A file in memory where the system has them: a full disk must not look like a broken recording."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("stderr"), "r+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)
