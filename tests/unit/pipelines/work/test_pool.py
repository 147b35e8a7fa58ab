"""What the pool does when workers die, without Ray: a stand-in whose workers do what the test says."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from auricle.loaders.storage.store import Store
from auricle.pipelines.nodes.resources import Resources
from auricle.pipelines.work import pool as pools
from auricle.pipelines.work.work_units import UnitOutcome, UnitRef
from auricle.schemas.errors import ClusterError, WorkerError
from auricle.schemas.worker_config import Workers


class Died(Exception):
    """In place of Ray's error of a worker that is gone."""


class Cluster:
    """Calls of workers, done one at a time when somebody waits for them."""

    def __init__(self, cpus: int) -> None:
        self.cpus, self.started, self.killed, self.here = cpus, 0, 0, "here"
        self.log: list[tuple[int, str, str]] = []
        self.dies: Callable[[int, str, str], bool] = lambda worker, method, unit: False
        self.gone: set[int] = set()

    def modules(self) -> dict[str, ModuleType]:
        names = ("RayError", "RayActorError", "ObjectLostError", "NodeDiedError")
        errors = ModuleType("ray.exceptions")
        for name in (*names, "WorkerCrashedError", "OutOfMemoryError", "GetTimeoutError"):
            setattr(errors, name, Died)
        ray = ModuleType("ray")
        ray.exceptions = errors  # pyright: ignore
        ray.put = lambda value: value  # pyright: ignore
        ray.wait = lambda refs, num_returns, timeout: (refs[:1], refs[1:])  # pyright: ignore
        ray.get = lambda ref, timeout: ref.call()  # pyright: ignore
        ray.kill = self._kill  # pyright: ignore
        ray.get_runtime_context = lambda: SimpleNamespace(get_node_id=lambda: self.here)  # pyright: ignore
        ray.remote = lambda **_: lambda cls: SimpleNamespace(remote=self._start)  # pyright: ignore
        ray.nodes = lambda: [{"Alive": True, "NodeID": "here", "Resources": {"CPU": self.cpus}}]  # pyright: ignore
        return {"ray": ray, "ray.exceptions": errors}

    def _kill(self, actor: Any) -> None:
        self.killed += 1

    def _start(self, *_: Any) -> Any:
        self.started += 1
        number, waiting = self.started, list[UnitOutcome]()

        def method(name: str) -> Any:
            def remote(*arguments: Any) -> Any:
                unit = arguments[2].unit if name == "run" else ""

                def call() -> list[UnitOutcome]:
                    if number in self.gone or self.dies(number, name, unit):
                        self.gone.add(number)
                        raise Died(f"worker {number} died")
                    self.log.append((number, name, unit))
                    ready = list(waiting)
                    waiting.clear()
                    if unit:
                        waiting.append(UnitOutcome(unit, 1, 0, 1.0, 0.0, 0.0, 0.0, 0))
                    return ready

                return SimpleRef(call)

            return SimpleNamespace(remote=remote)

        return SimpleNamespace(load=method("load"), run=method("run"), stored=method("stored"))


class SimpleRef:
    """What a call will give."""

    def __init__(self, call: Callable[[], list[UnitOutcome]]) -> None:
        self.call = call


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(2)
    for name, module in made.modules().items():
        monkeypatch.setitem(sys.modules, name, module)

    @contextlib.contextmanager
    def session(*_: Any) -> Iterator[int]:
        yield 1

    monkeypatch.setattr(pools, "ray_session", session)
    monkeypatch.setattr(pools, "started_here", lambda: True)
    monkeypatch.setattr(pools, "worker_options", dict)
    monkeypatch.setattr(pools, "LOOK_S", 0.0)
    return made


RECIPE: Any = SimpleNamespace(name="score", fingerprint="f")
NEXT: Any = SimpleNamespace(name="extract", fingerprint="f")


def done(pool: pools.Pool, tmp_path: Path, count: int, **how: Any) -> list[str]:
    store = Store(str(tmp_path / "store"), create=True)
    units = [UnitRef(str(i), "part", i, 1) for i in range(count)]
    return sorted((o.unit for o in pool.run(RECIPE, store, "run", units, **how)), key=int)


def test_all_units_are_done_once_and_workers_are_as_many_as_fit(cluster: Cluster, tmp_path: Path) -> None:
    with pools.Pool() as pool:
        assert done(pool, tmp_path, 20) == [str(i) for i in range(20)]
    assert cluster.started == cluster.killed == 2
    assert sum(method == "run" for _, method, _ in cluster.log) == 20


def test_what_a_worker_had_goes_to_others(cluster: Cluster, tmp_path: Path) -> None:
    cluster.dies = lambda worker, method, unit: worker == 1 and method == "run" and unit not in ("0", "2")
    with pools.Pool() as pool:
        assert done(pool, tmp_path, 20) == [str(i) for i in range(20)]
    assert cluster.started == 3


def test_the_pool_follows_the_nodes(cluster: Cluster, tmp_path: Path) -> None:
    def grow(worker: int, method: str, unit: str) -> bool:
        cluster.cpus = 4 if unit == "5" else cluster.cpus
        return False

    cluster.dies = grow
    with pools.Pool() as pool:
        assert len(done(pool, tmp_path, 40)) == 40
    assert cluster.started == 4


def test_the_next_pass_finds_workers_that_have_loaded_it(cluster: Cluster, tmp_path: Path) -> None:
    with pools.Pool(Workers(num=3)) as pool:
        done(pool, tmp_path, 9, then=NEXT)
        done(pool, tmp_path, 9)
    assert cluster.started == 3


def test_workers_that_die_while_they_start_end_the_pass(cluster: Cluster, tmp_path: Path) -> None:
    cluster.dies = lambda worker, method, unit: True
    with pools.Pool() as pool, pytest.raises(WorkerError, match=r"died in a row .*worker \d+ died"):
        done(pool, tmp_path, 3)


def test_what_no_node_has_is_refused_at_once_unless_an_autoscaler_may_bring_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    needs = {"extract": Resources(gpus=1)}
    with pools.Pool(Workers(), needs) as pool, pytest.raises(ClusterError, match=r"workers\.extract"):
        done(pool, tmp_path, 1)
    assert cluster.started == 0
    with pools.Pool(Workers(max=2), needs) as pool:
        assert len(done(pool, tmp_path, 5)) == 5


def test_a_run_whose_own_node_is_gone_ends(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "NODE_S", -1.0)
    cluster.here = "gone"
    with pools.Pool() as pool, pytest.raises(ClusterError, match="attached to is gone"):
        done(pool, tmp_path, 3)


def test_workers_that_were_let_go_are_started_anew(cluster: Cluster, tmp_path: Path) -> None:
    with pools.Pool() as pool:
        done(pool, tmp_path, 4)
        pool.let_go()
        assert len(done(pool, tmp_path, 4)) == 4
    assert cluster.started == cluster.killed == 4
