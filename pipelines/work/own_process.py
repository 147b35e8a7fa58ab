"""Jobs in processes of their own, without Ray: one that kills or hangs its process costs only itself."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from .hang import EXIT_CODE, Step, exit_when_hung
from .isolation import die_with_parent
from .threads import arrow_without_pandas, started_with_one_thread

HERE_S = 3.0
"""How long small jobs are done here: what is done in a moment needs no other process."""
MANY = 64
"""Small jobs from which on others do them: fewer are done before those have started."""
Job = TypeVar("Job")
Done = TypeVar("Done")


def run_each(
    work: Callable[[Job], Done],
    jobs: Sequence[Job],
    died: Callable[[Job, int | None, Step | None], Done],
    workers: int | None = None,
) -> Iterator[Done]:
    """`work` of every job, in order; `died(job, exit code, step that hung)` for a job that ends its process also when
    it is alone.

    A pool says only that one of its processes died: the job that it waited for is then done alone, the others again.
    """
    context = multiprocessing.get_context("spawn")
    size = max(1, min(workers or os.cpu_count() or 1, len(jobs)))
    ready: dict[int, Done] = {}
    place = 0
    while place < len(jobs):
        executor = ProcessPoolExecutor(size, mp_context=context, initializer=_start)
        others = set(multiprocessing.active_children())
        with _interrupts_are_ours(), started_with_one_thread(), _main_is_theirs():
            futures = {i: executor.submit(work, jobs[i]) for i in range(place, len(jobs)) if i not in ready}
        try:
            while place < len(jobs):
                yield ready.pop(place) if place in ready else futures[place].result()
                place += 1
        except BrokenProcessPool:
            ended = {i: f for i, f in futures.items() if i > place and f.done() and f.exception() is None}
            ready |= {i: f.result() for i, f in ended.items()}
            ready[place] = _alone(context, work, jobs[place], died)
        except BaseException:
            # interrupted: nobody waits for the jobs that are under way
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise
        finally:
            executor.shutdown(cancel_futures=True)


def here_first(
    work: Callable[[Job], Done], jobs: Sequence[Job], others: Callable[[Sequence[Job]], Iterator[Done]]
) -> Iterator[Done]:
    """`work` of every job, for `HERE_S` in this process; where `MANY` are left then, what `others` make of these."""
    began = time.monotonic()
    for place, job in enumerate(jobs):
        if len(jobs) - place >= MANY and time.monotonic() - began > HERE_S:
            yield from others(jobs[place:])
            return
        yield work(job)


def _alone(
    context: Any, work: Callable[[Job], Done], job: Job, died: Callable[[Job, int | None, Step | None], Done]
) -> Done:
    """The job in a process whose exit code is seen."""
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, work, job))
    with _interrupts_are_ours(), started_with_one_thread(), _main_is_theirs():
        process.start()
    sender.close()
    step: Step | None = None
    try:
        while isinstance(found := receiver.recv(), Step):
            step = found
    except EOFError:
        process.join()
        return died(job, process.exitcode, step if process.exitcode == EXIT_CODE else None)
    process.join()
    return found


@contextlib.contextmanager
def _interrupts_are_ours() -> Iterator[None]:
    """Processes started inside ignore Ctrl-C, also while they import: this one gets it and ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _main_is_theirs() -> Iterator[None]:
    """Processes started inside do not run the main module again, as `multiprocessing` would have it: it may be the
    script of somebody who has never heard of a guard, and nothing in it is needed."""
    main = sys.modules["__main__"]
    before = {name: getattr(main, name) for name in ("__spec__", "__file__") if hasattr(main, name)}
    main.__spec__ = None
    if "__file__" in before:
        del main.__file__
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(main, name, value)


def _send(sender: Connection, work: Callable[[Job], Done], job: Job) -> None:
    _start(sender.send)
    sender.send(work(job))


def _start(announce: Callable[[Step], None] = lambda step: None) -> None:
    """What every worker process begins with."""
    die_with_parent()
    arrow_without_pandas()
    exit_when_hung(announce)
