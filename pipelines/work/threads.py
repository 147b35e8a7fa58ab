"""What libraries do when they load. One thread of arithmetic per process, said before: they read the number once.

A worker per core is faster than threads in each, and sums of another number of threads round differently: the same
input would give other scores. The pool itself hands these settings to every process that it starts, so that it does not
matter what the environment outside says.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType

ONE_THREAD: dict[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""What OpenMP, torch and the builds of BLAS read when they load."""


@contextlib.contextmanager
def started_with_one_thread() -> Iterator[None]:
    """Processes that are started inside compute on one thread each; this process's own environment is put back."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def one_thread_here() -> None:
    """This process computes on one thread; called before it loads what computes. Its children do likewise."""
    os.environ.update(ONE_THREAD)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


def all_cores_for_tables() -> None:
    """Arrow, which takes the number for its own, reads tables with every core again: no result depends on that. Where
    it is not there yet, as soon as it is."""
    if (arrow := sys.modules.get("pyarrow")) is not None:
        arrow.set_cpu_count(os.cpu_count() or 1)
    else:
        sys.meta_path.insert(0, _WithAllCores())


class _WithAllCores(importlib.abc.MetaPathFinder):
    """Finds arrow as others do, and sets its cores when it has loaded."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != "pyarrow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                module.set_cpu_count(os.cpu_count() or 1)

            spec.loader.exec_module = exec_module
        return spec


def arrow_without_pandas() -> None:
    """Arrow looks for pandas when it first turns values into an array, and imports it, which takes half a second; for
    processes of ours that have no use for it. From now on arrow's tables have no `to_pandas` in this process."""
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    finder = _Absent()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(finder)


class _Absent(importlib.abc.MetaPathFinder):
    """Finds no pandas."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left out")


def load_beside(module: str) -> None:
    """Import a module that is needed later; for a thread. Without it, whoever needs it says what is missing."""
    with contextlib.suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module(module)
