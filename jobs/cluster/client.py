"""A run on a Ray cluster: submitted once, followed to its end, submitted again where the cluster lost it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...pipelines.work.cluster import auth_mode
from ...schemas.errors import ClusterError, ConfigError

PREFIX = "auricle"
POLL_S = 1.0
PATIENCE_S = 600.0
"""How long a cluster that does not answer is waited for."""
STOPPED = 130
"""As for an interrupt: somebody stopped the job."""
_OURS = "auricle_dataset"


@dataclass(frozen=True, slots=True)
class Job:
    """A run that the cluster knows."""

    id: str
    status: str
    """PENDING, RUNNING, STOPPED, SUCCEEDED, FAILED."""
    exit_code: int | None
    """Of the driver; None while it runs, and where it was lost."""
    dataset: str
    started_s: float | None
    """Unix times."""
    ended_s: float | None
    message: str

    @property
    def over(self) -> bool:
        return self.status in ("STOPPED", "SUCCEEDED", "FAILED")

    @property
    def lost(self) -> bool:
        """Whether the driver ended, or was ended, without a word of its own: a signal, or its node is gone."""
        return self.status == "FAILED" and (self.exit_code is None or not 0 <= self.exit_code < 128)


class Jobs:
    """The jobs of a cluster."""

    def __init__(self, address: str, token_file: Path | None = None) -> None:
        """address: http://HOST:8265 or ray://HOST:10001. token_file: with the cluster's token; default: what
        RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH say, else no token.

        Raises `ConfigError` for another kind of address, `ClusterError` when nobody answers or the token is refused.
        """
        if not address.startswith(("http://", "https://", "ray://")):
            raise ConfigError(f"--address {address}: http://HOST:8265 or ray://HOST:10001 is required")
        if token_file is not None:
            if not token_file.is_file():
                raise ConfigError(f"--token-file {token_file}: no such file")
            os.environ["RAY_AUTH_TOKEN_PATH"] = str(token_file.absolute())
            os.environ.pop("RAY_AUTH_TOKEN", None)
        # said in any case, and before Ray loads: its default is not the same everywhere
        os.environ["RAY_AUTH_MODE"] = auth_mode()
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Ray would let them win over the address that is given here
        for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
            os.environ.pop(name, None)
        self._address = address
        self._client: Any = None

    def all(self) -> list[Job]:
        """Runs of auricle, in the order in which they were submitted."""
        with self._answering():
            found = [_job(details) for details in self._ray().list_jobs() if _OURS in (details.metadata or {})]
        return sorted(found, key=lambda job: job.started_s or time.time())

    def find(self, id: str) -> Job | None:
        """None for a job that the cluster does not know (any more)."""
        return next((job for job in self.all() if job.id == id), None)

    def log(self, id: str) -> str:
        """All that the driver printed so far."""
        with self._answering():
            return self._ray().get_job_logs(id)

    def submit(self, id: str, entrypoint: str, runtime_env: dict[str, Any], dataset: str) -> None:
        """Start a job under this name; nothing happens when there is one."""
        with self._answering():
            try:
                self._ray().submit_job(
                    entrypoint=entrypoint, runtime_env=runtime_env, submission_id=id, metadata={_OURS: dataset}
                )
            except RuntimeError as error:
                # an answer that was lost: it is there
                if "already" not in str(error):
                    raise

    def stop(self, id: str) -> None:
        """End a job that runs."""
        with self._answering():
            self._ray().stop_job(id)

    def _ray(self) -> Any:
        if self._client is None:
            from ray.job_submission import JobSubmissionClient

            self._client = JobSubmissionClient(self._address)
        return self._client

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """Raises `ClusterError` for what the cluster does not do, `Away` when it does not answer."""
        import ray.exceptions
        import requests

        try:
            yield
        except ray.exceptions.AuthenticationError as error:
            raise ClusterError(
                f"{self._address}: the cluster refused the token (mode {os.environ['RAY_AUTH_MODE']}). Give the one it "
                "was started with: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or --token-file"
            ) from error
        except (ConnectionError, requests.RequestException) as error:
            self._client = None
            raise Away(f"{self._address}: no Ray answers there ({type(error).__name__})") from error
        except RuntimeError as error:
            first = next((line for line in str(error).splitlines() if line.strip()), "no message")
            if "status code 50" in first:
                raise Away(f"{self._address}: {first}") from error
            raise ClusterError(f"{self._address}: {first}") from error


class Away(ClusterError):
    """The cluster does not answer; it may do so later."""


def submit(
    jobs: Jobs,
    name: str,
    start: Callable[[str], None],
    notice: Callable[[str], None],
) -> str:
    """The job of this name that runs, or a new one; gives its id, `auricle-<name>-<n>`."""
    earlier = [job for job in jobs.all() if job.id.startswith(f"{PREFIX}-{name}-")]
    if running := [job for job in earlier if not job.over]:
        notice(f"{running[-1].id} is running already")
        return running[-1].id
    numbers = [int(job.id.rsplit("-", 1)[1]) for job in earlier]
    id = f"{PREFIX}-{name}-{max(numbers, default=0) + 1}"
    start(id)
    notice(f"submitted {id}")
    return id


def follow(jobs: Jobs, id: str, said: Callable[[str], None]) -> Job | None:
    """Tell what the driver prints until it ends; None when the cluster lost the job and its record.

    Raises `ClusterError` when the cluster has not answered for `PATIENCE_S`.
    """
    told, silent_since = 0, time.monotonic()
    while True:
        try:
            job = jobs.find(id)
            if job is None:
                return None
            with contextlib.suppress(Away):
                text = jobs.log(id) or ""
                if len(text) > told:
                    said(text[told:])
                    told = len(text)
            if job.over:
                return job
            silent_since = time.monotonic()
        except Away:
            if time.monotonic() - silent_since > PATIENCE_S:
                raise
        time.sleep(POLL_S)


def _job(details: Any) -> Job:
    return Job(
        id=details.submission_id or "",
        status=str(getattr(details.status, "value", details.status)),
        exit_code=details.driver_exit_code,
        dataset=(details.metadata or {}).get(_OURS, ""),
        started_s=details.start_time / 1000 if details.start_time else None,
        ended_s=details.end_time / 1000 if details.end_time else None,
        message=details.message or "",
    )
