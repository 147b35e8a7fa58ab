"""Independent pieces of a diagnosis, done one after the other or by other processes; what is found is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")


class Jobs(Protocol):
    """Does `work` of every job and gives what it returned, in the order of the jobs.

    `work` is a function of a module, and jobs and results can be pickled.
    """

    one_disk: bool
    """Whether whoever does them reads the files of this process."""

    @property
    def workers(self) -> int:
        """How many jobs are done at once."""
        ...

    def __call__(self, work: Callable[[Job], Done], jobs: Sequence[Job]) -> Iterator[Done]: ...


class Here:
    """One job after the other, in this process."""

    workers = 1
    one_disk = True

    def __call__(self, work: Callable[[Job], Done], jobs: Sequence[Job]) -> Iterator[Done]:
        return map(work, jobs)


MANY_CODES = 200_000
"""Fewer are counted here before other processes have started."""


def where_worth(jobs: Jobs, codes: int) -> Jobs:
    """`jobs`; this process where other ones of this machine would have to start for few codes."""
    return Here() if jobs.one_disk and codes < MANY_CODES else jobs


def say_nothing(_: str) -> None:
    """Progress of a job in another process, which arrives nowhere."""
