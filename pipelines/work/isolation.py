"""Run the items of a unit in child processes, so that one that kills its process becomes an error row.

An item is condemned only after this parent, alive all along, has twice seen a child die on that item alone while a
child on a control item lived. A kill from outside (preemption) takes the parent too or is not repeated, and so never
condemns anything. Where it was a curator or an extractor that never returned, the item is done without that one.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...schemas.errors import WorkerError
from ...schemas.sources import uri_name
from ...schemas.tables import FailureReason
from .contract import Recipe, Result, failure
from .hang import EXIT_CODE, HUNG, Step, exit_when_hung
from .one_by_one import each
from .threads import ONE_THREAD

DEATHS_TO_CONDEMN = 2
PR_SET_PDEATHSIG = 1


def run_isolated(recipe: Recipe, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
    """Results of `items` in order, computed in children of this process.

    Raises what the recipe raises while it is built, and `WorkerError` when even control items die.
    """
    results: dict[str, Result] = {}
    suspects: list[dict[str, Any]] = []
    rest = list(items)
    while rest:
        done = _run_child(recipe, rest).done
        results.update((result.row["key"], result) for result in done)
        if len(done) == len(rest):
            break
        suspects.append(rest[len(done)])
        rest = rest[len(done) + 1 :]
    control = [item for item in items if item["key"] in results][:1]
    for suspect in suspects:
        results[suspect["key"]] = _judge(recipe, suspect, control)
    yield from (results[item["key"]] for item in items)


def _judge(recipe: Recipe, suspect: dict[str, Any], control: Sequence[dict[str, Any]]) -> Result:
    """The suspect's result when it lives alone, else an error row once it has died often enough beside controls."""
    hung: dict[str, str] = {}
    while True:
        for _ in range(DEATHS_TO_CONDEMN):
            ended = _run_child(recipe, [suspect | {HUNG: hung}])
            if ended.done:
                return ended.done[0]
            controlled = _run_child(recipe, control)
            if len(controlled.done) != len(control) or (not control and controlled.code != 0):
                raise WorkerError(
                    f"pass {recipe.name}: a worker dies even on a control item that was fine before (exit "
                    f"{controlled.code}); look at the machine's memory and at the installed libraries"
                )
        step = ended.hung
        if step is None or not step.name or step.name in hung:
            break
        hung[step.name] = str(step)
    name = uri_name(str(suspect.get("uri", suspect["key"])))
    if step is not None:
        return failure(suspect, FailureReason.TIMED_OUT, f"{name}: {step}, twice")
    what = f"killed its worker {DEATHS_TO_CONDEMN} times alone ({_words(ended.code)})"
    return failure(suspect, FailureReason.KILLED_WORKER, f"{name}: {what}")


@dataclass(frozen=True, slots=True)
class _Ended:
    """What a child managed before it ended."""

    done: list[Result]
    code: int
    """Exit code; negative: the signal."""
    hung: Step | None
    """What it waited for when its time was up."""


def _run_child(recipe: Recipe, items: Sequence[dict[str, Any]]) -> _Ended:
    """Do `items` in a child, one after the other. Raises what the recipe raises while it is built."""
    with subprocess.Popen(
        [sys.executable, "-m", "auricle.pipelines.work.isolation"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | ONE_THREAD,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            pickle.dump((recipe, list(items)), child.stdin)
            child.stdin.close()
        except BrokenPipeError:
            pass
        done: list[Any] = []
        step: Step | None = None
        error: BaseException | None = None
        try:
            while True:
                frame = pickle.load(child.stdout)
                if isinstance(frame, BaseException):
                    error = frame
                    break
                if isinstance(frame, Step):
                    step = frame
                else:
                    done.append(frame)
        except (EOFError, pickle.UnpicklingError):
            # the child ended, by itself or in the middle of a frame
            error = None
        code = child.wait()
    if error is not None:
        raise error
    return _Ended(done, code, step if code == EXIT_CODE else None)


def _words(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def die_with_parent() -> None:
    """This process goes when its parent goes, also when the parent is killed. Linux only; no effect elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Child: read (recipe, items) on stdin; write each step, and one result per item, pickled, on stdout."""
    die_with_parent()
    out = os.fdopen(os.dup(1), "wb")
    # libraries that print must not write into the stream of results
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def announce(step: Step) -> None:
        pickle.dump(step, out)
        out.flush()

    exit_when_hung(announce)
    recipe, items = pickle.load(sys.stdin.buffer)
    try:
        work = recipe.build()
        for item in items:
            for result in each(work, [item]):
                pickle.dump(result, out)
            out.flush()
    except Exception as error:
        pickle.dump(error, out)
        out.flush()


if __name__ == "__main__":
    main()
