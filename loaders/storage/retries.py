"""Requests to an object store that failed in passing are made again, with pauses, and each try is logged."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from obstore.exceptions import GenericError

from ...schemas.errors import StorageError

if TYPE_CHECKING:
    from obstore.store import RetryConfig

# of the store, whose requests they are: readers of logs know it by that name
log = logging.getLogger(f"{__package__}.store")
Result = TypeVar("Result")
RETRY: RetryConfig = {"max_retries": 0}
"""obstore repeats without a word: requests are repeated here, where each try is logged."""
ATTEMPTS = 8
"""Tries of an operation that an object store failed in passing: an error 5xx, a reset, half a body, a stall."""
ATTEMPTS_ON_THE_WEB = 3
"""The same of a web server: a list names many, and one that is down is asked again by the next run."""
METADATA_SERVICES = ("/latest/api/token", "/latest/meta-data/", "//169.254.170.2/")
"""In the URL of a machine's own role: asked for when the environment holds no credentials."""
ATTEMPTS_WITHOUT_CREDENTIALS = 3
"""Tries of such a question: a service that is busy answers soon, one that is not there never does."""
NO_CREDENTIALS = (
    "the object store needs credentials: the environment holds none, and this machine has no role that gives them. "
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN where they are temporary), or for a bucket "
    "that anyone may read AWS_SKIP_SIGNATURE=true. Files under ~/.aws are not read"
)
BACKOFF_S = 0.2
"""Of the first pause, about doubled each time: all of them together take a minute."""


def persist(operation: Callable[[], Result], url: str, path: str, most: int) -> Result:
    """The operation's result, tried `most` times where the store failed in passing.

    url, path: of the store and the object, for messages. Raises what the last try raised, `StorageError` where the
    machine has no credentials.
    """
    for attempt in range(1, most + 1):
        try:
            return operation()
        except GenericError as error:
            anonymous = any(service in str(error) for service in METADATA_SERVICES)
            if anonymous and attempt >= ATTEMPTS_WITHOUT_CREDENTIALS:
                raise StorageError(f"{url}: {NO_CREDENTIALS} ({first_line(error)})") from error
            if attempt == most:
                raise
            pause_s = BACKOFF_S * 2**attempt * random.uniform(0.5, 1.5)
            log.warning(
                "%s/%s: %s; try %d of %d in %.1f s",
                url,
                path,
                first_line(error),
                attempt + 1,
                ATTEMPTS_WITHOUT_CREDENTIALS if anonymous else most,
                pause_s,
            )
            time.sleep(pause_s)
    raise AssertionError("unreachable")


def first_line(error: BaseException) -> str:
    """The message without the debug dump that the object store appends."""
    return str(error).strip().split("\n", 1)[0]
