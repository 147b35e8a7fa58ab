"""Ray, started as late as possible and only when there is work; units scheduled by Ray Data."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple
from typing import Any

from ...loaders.storage.store import Store
from ...schemas.errors import AuricleError, WorkerError
from .contract import Recipe
from .hang import exit_when_hung
from .threads import ONE_THREAD, started_with_one_thread
from .work_units import UnitOutcome, UnitRef, UnitWorker

OBJECT_STORE_BYTES = 128 << 20
"""Plenty for unit references: audio and latents never pass through Ray's object store."""
_started_here: list[str] = []
"""The job whose Ray this process started; empty for none, or another's Ray."""


@contextlib.contextmanager
def ray_session(workers: int | None) -> Iterator[int]:
    """Connect to the cluster that RAY_ADDRESS names, else start one on this machine; yields the worker count.

    A cluster started here is stopped at the end; one that was there is left alone.
    """
    # behaviour without the variable depends on what ran on the machine before
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
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
            "num_cpus": workers or os.cpu_count(),
            "object_store_memory": OBJECT_STORE_BYTES,
            "_node_ip_address": "127.0.0.1",
            "include_dashboard": False,
        }
        if scratch := os.environ.get("AURICLE_RAY_TMP"):
            local["_temp_dir"] = scratch
    with started_with_one_thread():
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **local)
    if address == "local":
        _started_here.append(ray.get_runtime_context().get_job_id())
    try:
        yield workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        _started_here.clear()
        ray.shutdown()


def worker_options() -> dict[str, Any]:
    """Options of tasks and actors under which their processes begin with one thread of arithmetic.

    Workers of a Ray that was started here have that from it. In another's they are started anew, whatever its
    environment is.
    """
    return {} if _started_here else {"runtime_env": {"env_vars": ONE_THREAD}}


class _UnitActor:
    """A worker process of the pool: builds its models once, then takes one unit at a time."""

    def __init__(self, recipe: Recipe, store: Store, run: str) -> None:
        exit_when_hung()
        self._worker = UnitWorker(recipe, store, run)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {}
        for unit, part, group, items in zip(batch["unit"], batch["part"], batch["group"], batch["items"], strict=True):
            outcome = self._worker.run(UnitRef(str(unit), str(part), int(group), int(items)))
            for name, value in asdict(outcome).items():
                columns.setdefault(name, []).append(value)
        return columns


def run_units(recipe: Recipe, store: Store, run: str, units: Sequence[UnitRef], workers: int) -> Iterator[UnitOutcome]:
    """Do all units on a pool of `workers` processes; yields outcomes as they come, in any order.

    Ray Data retries units whose worker died, for ever: `UnitWorker` counts the attempts and isolates.
    Raises the `AuricleError` that a worker raised (a missing weight file), the OSError of a full disk, and
    `WorkerError` for everything else that ended the pass.
    """
    import ray
    import ray.data
    import ray.exceptions

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    rows = [dict(zip(("unit", "part", "group", "items"), astuple(ref), strict=True)) for ref in units]
    pool = min(workers, len(units))
    outcomes = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        _UnitActor,
        batch_size=1,
        fn_constructor_args=(recipe, store, run),
        compute=ray.data.ActorPoolStrategy(size=pool, max_tasks_in_flight_per_actor=2),
        num_cpus=1,
        **worker_options(),
    )
    try:
        for row in outcomes.iter_rows():
            yield UnitOutcome(**{name: row[name] for name in UnitOutcome.__slots__})
    except ray.exceptions.RayError as error:
        raise our_error(error, f"the {recipe.name} pass") from error


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
