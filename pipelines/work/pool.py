"""The workers of a run: processes on any nodes, which take units of one pass after the other.

Ray places the processes, says when one is gone, and tells an autoscaler of those that have no place yet. Which unit
goes where is settled here: a worker that died gives its units back, one that is idle loads what the next pass needs,
and the pool follows the nodes. Exactly-once comes from receipts (`work_units`), whatever happens to workers.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ...loaders.storage.store import Store
from ...schemas.errors import ClusterError, WorkerError
from ...schemas.worker_config import Workers
from ..nodes.environment import environment, refuse_other
from ..nodes.resources import Resources, refuse_unplaceable, room
from .cluster import our_error, ray_session, started_here, worker_options
from .contract import Recipe
from .hang import exit_when_hung
from .threads import arrow_without_pandas
from .work_units import UnitOutcome, UnitRef, UnitWorker

LOOK_S = 1.0
"""How often the pool looks at the nodes."""
AHEAD = 2
"""Units that a worker has at most that are not computed: one that it computes, one so that it need not wait."""
GET_S = 60.0
"""That a finished call's few numbers may take to arrive: what was on a node that died may never come."""
NODE_S = 5.0
"""How often the pool looks whether the node that this process is attached to is alive."""
PLENTY = 4
"""Units left per worker from which on each has one in advance; fewer would wait behind a long one at the end."""
DEATHS = 5
"""Workers, per worker of the pool, that may die in a row while they start or load."""


class _UnitActor:
    """A worker process: loads the models of a pass once, and lets go of those of the one before.

    Its main thread computes, since not all libraries like another to load and to run them; a second one stores.
    """

    def __init__(self, store: Store, run: str, expected: dict[str, str]) -> None:
        exit_when_hung()
        arrow_without_pandas()
        self._store, self._run, self._expected = store, run, expected
        self._passes: dict[str, UnitWorker] = {}
        self._storing = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._pending: deque[Future[UnitOutcome]] = deque()

    def load(self, name: str, recipe: Recipe) -> list[UnitOutcome]:
        """Get ready for units of a pass."""
        if self._expected:
            import ray

            refuse_other(self._expected, ray.util.get_node_ip_address())
        self._of(name, recipe).load()
        return []

    def run(self, name: str, recipe: Recipe, ref: UnitRef) -> list[UnitOutcome]:
        """Compute a unit; gives what became of those before it, which are stored by now."""
        store = self._of(name, recipe).begin(ref)
        outcomes = self.stored()
        self._pending.append(self._storing.submit(store))
        return outcomes

    def stored(self) -> list[UnitOutcome]:
        """Wait until all that is computed is stored."""
        return [self._pending.popleft().result() for _ in range(len(self._pending))]

    def _of(self, name: str, recipe: Recipe) -> UnitWorker:
        # by the name that the driver made: a recipe that has just arrived would make it, and all its curators, anew
        if name not in self._passes:
            if getattr(recipe, "loads", True):
                self._passes.clear()
            self._passes[name] = UnitWorker(recipe, self._store, self._run)
        return self._passes[name]


@dataclass(eq=False)
class _Worker:
    """A process of the pool, as the driver sees it."""

    actor: Any
    loading: Any
    """What comes when it is up and has loaded its pass; None once that came."""
    pass_: str
    """The pass that it loads or has loaded."""
    units: dict[str, UnitRef] = field(default_factory=dict)
    """What it was given and has not stored, by name."""
    calls: set[Any] = field(default_factory=set)
    """What comes when it has done something."""


class Pool:
    """Workers of a run; Ray starts with the first call that needs it, or beside the caller after `start`."""

    def __init__(self, workers: Workers | None = None, needs: Mapping[str, Resources] | None = None) -> None:
        """needs: what a worker of each pass takes, to refuse what no node has before any work."""
        self._settings, self._needs = workers or Workers(), dict(needs or {})
        self._thread: threading.Thread | None = None
        self._tried, self._over = threading.Event(), threading.Event()
        self._failed: BaseException | None = None
        self._terminated: Any = None
        """What SIGTERM did before."""
        self._pool: list[_Worker] = []
        self._of: tuple[Resources, str, str] | None = None
        self._looked, self._room = 0.0, 0
        self._deaths = 0

    def start(self, first: tuple[Recipe, Store, str, Resources] | None = None) -> None:
        """Start Ray in a thread; what goes wrong is raised by the first call that needs it.

        first: a pass, its store and run, and what a worker takes, which the first workers load.
        """
        if self._thread is not None and self._over.is_set():
            self._thread.join()
            self._thread = None
        if self._thread is None:
            self._tried.clear()
            self._over.clear()
            self._thread = threading.Thread(target=self._session, args=(first,), name="ray")
            self._thread.start()

    def _session(self, first: tuple[Recipe, Store, str, Resources] | None) -> None:
        """Ray, from its start to its end, in a thread of its own: the kernel ends Ray's processes with the thread that
        started them."""
        try:
            cpus = max((each.cpus for each in self._needs.values()), default=1.0)
            with ray_session(self._settings.num, cpus):
                if not self._settings.max:
                    refuse_unplaceable(_nodes(), self._needs)
                if first is not None:
                    import ray

                    recipe, store, run, each = first
                    self._take_on(ray.put(recipe), _named(recipe), store, run, each)
                self._tried.set()
                self._over.wait()
        except BaseException as error:
            self._failed = error
        finally:
            self._tried.set()

    def _connected(self) -> None:
        self.start()
        self._tried.wait()
        if self._failed is not None:
            raise self._failed
        if self._terminated is None and threading.current_thread() is threading.main_thread():
            # Ray would do that itself, were it started in the main thread: a scheduler's SIGTERM ends a run in order
            self._terminated = signal.signal(signal.SIGTERM, _exit)

    def size(self, each: Resources) -> int:
        """How many workers there should be now, were there enough units: what `num`, `min`, `max` and the nodes say."""
        self._connected()
        return self._wanted(each)

    def _wanted(self, each: Resources) -> int:
        s = self._settings
        if s.num is not None or s.max is not None:
            return s.num or s.max or 1
        if time.monotonic() - self._looked > LOOK_S:
            self._room, self._looked = room(_nodes(), each), time.monotonic()
        return max(self._room, s.min)

    def run(
        self,
        recipe: Recipe,
        store: Store,
        run: str,
        units: Sequence[UnitRef],
        each: Resources = Resources(),
        then: Recipe | None = None,
    ) -> Iterator[UnitOutcome]:
        """Do all units; yields outcomes as they come, in any order.

        each: what a worker takes. then: the next pass of the same workers, which idle ones load.
        Raises the `AuricleError` that a worker raised (a missing weight file), the OSError of a full disk,
        `ClusterError` when no worker came in time, and `WorkerError` for everything else that ended the pass.
        """
        self._connected()
        import ray
        import ray.exceptions

        lost = (
            *(ray.exceptions.RayActorError, ray.exceptions.ObjectLostError, ray.exceptions.NodeDiedError),
            *(ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError, ray.exceptions.GetTimeoutError),
        )
        queue, name = deque(units), _named(recipe)
        shared = ray.put(recipe)
        following = (ray.put(then), _named(then)) if then is not None else None
        since = looked = time.monotonic()
        try:
            while queue or any(worker.units for worker in self._pool):
                if time.monotonic() - looked > NODE_S:
                    looked = time.monotonic()
                    _refuse_dead_node(recipe.name)
                left = len(queue) + sum(len(worker.units) for worker in self._pool)
                self._take_on(shared, name, store, run, each, left)
                self._hand_out(queue, shared, name, following)
                waited = self._waited_for()
                ready, _ = ray.wait(list(waited), num_returns=1, timeout=LOOK_S) if waited else ([], [])
                if any(worker.loading is None for worker in self._pool):
                    since = time.monotonic()
                elif time.monotonic() - since > self._settings.wait_s:
                    raise ClusterError(
                        f"the {recipe.name} pass: Ray gave no worker ({each} each) in {self._settings.wait_s:g} s "
                        "(workers.wait_s). Nothing of the pass was done; look at `ray status`"
                    )
                for ref in ready:
                    worker = waited[ref]
                    try:
                        outcomes: list[UnitOutcome] = ray.get(ref, timeout=GET_S)
                    except lost as error:
                        self._lose(worker, queue, recipe.name, error)
                        break
                    self._deaths = 0
                    if ref == worker.loading:
                        worker.loading = None
                    worker.calls.discard(ref)
                    for outcome in outcomes:
                        del worker.units[outcome.unit]
                        yield outcome
        except ray.exceptions.RayError as error:
            raise our_error(error, f"the {recipe.name} pass") from error
        finally:
            if any(worker.units for worker in self._pool):
                self._dismiss()

    def let_go(self) -> None:
        """End the workers; the Ray that was started for them ends beside the caller. A call that needs them again
        starts anew."""
        if self._thread is None or self._over.is_set():
            return
        self._tried.wait()
        if self._failed is None:
            self._dismiss()
        self._over.set()

    def close(self) -> None:
        """End the workers, and wait for the end of the Ray that was started for them."""
        if self._thread is None:
            return
        self.let_go()
        self._thread.join()
        self._thread = None
        if self._terminated is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._terminated)
            self._terminated = None

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take_on(
        self, shared: Any, name: str, store: Store, run: str, each: Resources, units: int | None = None
    ) -> None:
        """New workers, as many as there should be for so many units. Idle ones go where the cluster has no more room
        for them; that there are few units left is no reason, since the next pass wants them."""
        import ray

        of = (each, store.url, run)
        if self._of != of:
            self._dismiss()
            self._of = of
        most = self._wanted(each)
        if len(self._pool) > most:
            # the ones without a place first, then those with nothing to do
            spare = sorted((w for w in self._pool if not w.units), key=lambda w: w.loading is None)
            for worker in spare[: len(self._pool) - most]:
                self._end(worker)
        wanted = most if units is None else min(most, units)
        if len(self._pool) >= wanted:
            return
        options: dict[str, Any] = each.options() | worker_options() | {"max_restarts": 0}
        actor_class = ray.remote(**options)(_UnitActor)
        expected = {} if started_here() else environment()
        while len(self._pool) < wanted:
            actor = actor_class.remote(store, run, expected)
            self._pool.append(_Worker(actor, actor.load.remote(name, shared), name))

    def _hand_out(self, queue: deque[UnitRef], shared: Any, name: str, then: tuple[Any, str] | None) -> None:
        """Units to workers that are up; where there are none left, the next pass to load."""
        up = [worker for worker in self._pool if worker.loading is None]
        for depth in range(1, AHEAD + 1):
            if depth > 1 and len(queue) < PLENTY * len(up):
                break
            for worker in up:
                if queue and len(worker.calls) < depth:
                    ref = queue.popleft()
                    worker.units[ref.unit] = ref
                    worker.calls.add(worker.actor.run.remote(name, shared, ref))
                    worker.pass_ = name
        for worker in up:
            if worker.units and not worker.calls:
                worker.calls.add(worker.actor.stored.remote())
        if then is not None and not queue:
            for worker in up:
                if not worker.units and worker.pass_ != then[1]:
                    worker.pass_, worker.loading = then[1], worker.actor.load.remote(then[1], then[0])

    def _waited_for(self) -> dict[Any, _Worker]:
        found = {ref: worker for worker in self._pool for ref in worker.calls}
        return found | {worker.loading: worker for worker in self._pool if worker.loading is not None}

    def _lose(self, worker: _Worker, queue: deque[UnitRef], what: str, error: BaseException) -> None:
        """Give back what a worker had that is gone. Units count their own starts; loading is counted here."""
        queue.extendleft(worker.units.values())
        if not worker.units:
            self._deaths += 1
            if self._deaths > DEATHS * max(1, len(self._pool)):
                first = next((line for line in str(error).splitlines() if line.strip()), "no message")
                raise WorkerError(
                    f"the {what} pass: {self._deaths} workers died in a row while they started ({first}); look at the "
                    "machines' memory and at the installed libraries"
                ) from error
        self._end(worker)
        # how many there should be depends on the nodes, which may have changed
        self._looked = 0.0

    def _end(self, worker: _Worker) -> None:
        import ray

        self._pool.remove(worker)
        ray.kill(worker.actor)

    def _dismiss(self) -> None:
        for worker in list(self._pool):
            self._end(worker)
        self._of = None


def run_units(recipe: Recipe, store: Store, run: str, units: Sequence[UnitRef], workers: int) -> Iterator[UnitOutcome]:
    """Do all units on `workers` processes of their own; Ray is there already, or is started for them."""
    with Pool(Workers(num=workers)) as pool:
        yield from pool.run(recipe, store, run, units)


def _refuse_dead_node(what: str) -> None:
    """Raises `ClusterError` when the node that this process is attached to is gone: Ray does not always end it then,
    and nothing that it is given would come back."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    if not any(node["Alive"] for node in ray.nodes() if node["NodeID"] == here):
        raise ClusterError(
            f"the {what} pass: the Ray node that this run is attached to is gone. What is done is kept; the same "
            "command goes on"
        )


def _exit(number: int, _: object) -> None:
    sys.exit(128 + number)


def _named(recipe: Recipe) -> str:
    return f"{recipe.name}-{recipe.fingerprint}"


def _nodes() -> list[dict[str, float]]:
    """What each node that is up has, in Ray's words."""
    import ray

    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]
