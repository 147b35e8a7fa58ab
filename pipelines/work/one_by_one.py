"""An item that a pass has no answer to is that item's row, never the end of the pass.

What still ends one is about the installation or the dataset (any `AuricleError` but `ClipError`), or about the machine
(`FULL`): it would befall every item.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...schemas.errors import AuricleError, ClipError
from ...schemas.sources import uri_name
from ...schemas.tables import FailureReason
from .contract import Result, Work, failure

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE})
LONGEST_MESSAGE = 500
"""Characters: some libraries put whole tables into their errors."""


def ends_the_pass(error: Exception) -> bool:
    """Whether the error would befall every item."""
    if isinstance(error, AuricleError):
        return not isinstance(error, ClipError)
    return isinstance(error, OSError) and error.errno in FULL


def why(error: Exception) -> tuple[FailureReason, str]:
    """The reason that an error is, and what to say of it in one line."""
    if isinstance(error, ClipError):
        known = error.reason in set(FailureReason)
        return (FailureReason(error.reason), error.message) if known else (FailureReason.EXTRACTION, str(error))
    lines = str(error).splitlines()
    said = f"{type(error).__name__}: {lines[0] if lines else ''}"[:LONGEST_MESSAGE].rstrip(": ")
    # torch and others have their own error, which is a RuntimeError
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return FailureReason.OUT_OF_MEMORY, said
    if isinstance(error, OSError):
        return FailureReason.STORAGE, said
    return FailureReason.INTERNAL, said


def each(work: Work, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
    """One result per item, in order, whatever the work raises of any of them.

    From the first item that it raises of, the work gets one item at a time. Raises what `ends_the_pass`.
    """
    done = 0
    try:
        for result in work(items):
            yield result
            done += 1
    except Exception as error:
        if ends_the_pass(error):
            raise
    else:
        return
    for item in items[done:]:
        yield _alone(work, item)


def _alone(work: Work, item: Mapping[str, Any]) -> Result:
    try:
        [result] = work([dict(item)])
    except Exception as error:
        if ends_the_pass(error):
            raise
        reason, message = why(error)
        name = uri_name(str(item.get("uri", item["key"])))
        return failure(item, reason, message if isinstance(error, ClipError) else f"{name}: {message}")
    return result
