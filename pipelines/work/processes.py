"""Jobs of a diagnosis in processes of this machine, each on one thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Never, TypeVar

from ...schemas.errors import WorkerError
from .hang import Step
from .own_process import run_each

Job = TypeVar("Job")
Done = TypeVar("Done")


class Processes:
    """`diagnostics.estimates.jobs.Jobs`: what is found does not depend on how many there are."""

    one_disk = True

    def __init__(self, workers: int | None = None) -> None:
        """workers: at once; default a core each."""
        self.workers = workers or os.cpu_count() or 1

    def __call__(self, work: Callable[[Job], Done], jobs: Sequence[Job]) -> Iterator[Done]:
        """Raises what a job raises, and `WorkerError` for one that ends its process."""
        if self.workers == 1 or len(jobs) < 2:
            return map(work, jobs)
        return run_each(work, jobs, self._died, self.workers)

    def _died(self, job: object, code: int | None, _: Step | None) -> Never:
        why = "where memory ran out, ask for fewer at once: --workers 1"
        raise WorkerError(f"a process of the diagnosis ended with code {code}; {why}")
