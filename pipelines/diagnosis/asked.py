"""What is asked of a diagnosis, and who does its pieces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...diagnostics.estimates.jobs import Jobs
from ...loaders.reading.version import Version
from ...schemas.keys import digest
from ..spread.unit_jobs import UnitJobs
from ..work.pool import Pool
from ..work.processes import Processes


@dataclass(frozen=True, slots=True)
class Asked:
    """The arguments of `diagnose` that every representation is diagnosed with."""

    max_frames: int
    seed: int
    budget_s: float | None
    pool: bool
    directions: bool
    workers: int | None
    on: Pool | None
    begin: Callable[[str], None]

    def jobs(self, version: Version, *made_from: Any) -> Jobs:
        """Who does the pieces of one stream. made_from: all that they depend on besides the version."""
        if self.on is None:
            return Processes(self.workers)
        return UnitJobs(version.store, digest("diagnose/2", version.sha256, *map(str, made_from)), self.on, self.begin)


def forget(jobs: Jobs) -> None:
    """Remove what pieces left for a diagnosis that was interrupted: it is done."""
    if isinstance(jobs, UnitJobs):
        jobs.forget()
