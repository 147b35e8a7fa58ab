"""Ray, started only when there is work, and what it says when something goes wrong."""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Iterator
from typing import Any

from ...schemas.errors import AuricleError, ClusterError, WorkerError
from .threads import ONE_THREAD, started_with_one_thread

OBJECT_STORE_BYTES = 128 << 20
"""Plenty for references to units: audio and latents never pass through Ray's object store."""
_started_here: list[str] = []
"""The job whose Ray this process started; empty for none, or another's Ray."""


@contextlib.contextmanager
def ray_session(workers: int | None, cpus: float = 1.0) -> Iterator[int]:
    """Connect to the cluster that RAY_ADDRESS names, else start one on this machine; yields the worker count.

    cpus: that a worker takes; a Ray of this machine has room for `workers` of them. A cluster started here is stopped
    at the end; one that was there is left alone.
    """
    # said in any case: without the variable it depends on what ran on the machine before
    os.environ.setdefault("RAY_AUTH_MODE", auth_mode())
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Ray's default makes workers yield to everything else on the machine
    os.environ.setdefault("RAY_worker_niceness", "0")
    import ray

    if ray.is_initialized():
        yield workers or int(ray.cluster_resources().get("CPU", 1))
        return
    address = os.environ.get("RAY_ADDRESS")
    local: dict[str, Any] = {}
    if address and address.startswith("127."):
        # a cluster on loopback: the driver must not offer it the address of a network card
        local = {"_node_ip_address": address.rsplit(":", 1)[0]}
    elif not address:
        # another Ray on this machine, somebody else's too, is not ours to use
        address = "local"
        local = {
            "num_cpus": math.ceil(workers * cpus) if workers else os.cpu_count(),
            "object_store_memory": OBJECT_STORE_BYTES,
            "_node_ip_address": "127.0.0.1",
            "include_dashboard": False,
        }
        if scratch := os.environ.get("AURICLE_RAY_TMP"):
            local["_temp_dir"] = scratch
    with started_with_one_thread():
        try:
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **local)
        except ConnectionError as error:
            first = str(error).partition("\n")[0] or "no node of it is on this machine"
            raise ClusterError(f"RAY_ADDRESS {address}: no Ray that can be used answers there ({first})") from error
    if address == "local":
        _started_here.append(ray.get_runtime_context().get_job_id())
    try:
        yield workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        _started_here.clear()
        ray.shutdown()


def auth_mode() -> str:
    """`token` where the environment has a token for the cluster, else `disabled`."""
    return "token" if {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys() else "disabled"


def started_here() -> bool:
    """Whether this process started the Ray that it uses, on this machine alone."""
    return bool(_started_here)


def worker_options() -> dict[str, Any]:
    """Options of tasks and actors under which their processes begin with one thread of arithmetic.

    Workers of a Ray that was started here have that from it. In another's they are started anew, whatever its
    environment is.
    """
    return {} if _started_here else {"runtime_env": {"env_vars": ONE_THREAD}}


def our_error(error: BaseException, what: str = "a worker") -> BaseException:
    """The error of ours, or of the system, inside Ray's wrapping; else a `WorkerError` that says in a line what ended
    `what`, without Ray's traceback."""
    seen: BaseException | None = error
    inner = error
    while seen is not None:
        if isinstance(seen, AuricleError):
            return seen
        inner = seen
        cause = getattr(seen, "cause", None)
        seen = cause if isinstance(cause, BaseException) else seen.__cause__
    if isinstance(inner, OSError) and inner.strerror:
        return inner
    lines = [line for line in str(inner).splitlines() if line.strip()]
    return WorkerError(
        f"{what} ended: {type(inner).__name__}: {lines[0] if lines else 'no message'}. What is done is kept; the same "
        "command goes on"
    )
