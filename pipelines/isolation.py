"""Run the items of a unit in child processes, so that one that kills its process becomes an error row.

An item is condemned only after this parent, alive all along, has twice seen a child die on that item alone while a
child on a control item lived. A kill from outside (preemption) takes the parent too or is not repeated, and so never
condemns anything.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..schemas.tables import FailureReason
from . import hang

if TYPE_CHECKING:
    from .units import Recipe, Result

DEATHS_TO_CONDEMN = 2
PR_SET_PDEATHSIG = 1


def run_isolated(recipe: Recipe, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
    """Results of `items` in order, computed in children of this process.

    Raises what the recipe raises while it is built, and RuntimeError when even control items die.
    """
    results: dict[str, Result] = {}
    suspects: list[dict[str, Any]] = []
    rest = list(items)
    while rest:
        done, _ = _run_child(recipe, rest)
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
    from .units import failure

    exits: list[int] = []
    while len(exits) < DEATHS_TO_CONDEMN:
        done, code = _run_child(recipe, [suspect])
        if done:
            return done[0]
        controlled, control_code = _run_child(recipe, control)
        if len(controlled) != len(control) or (not control and control_code != 0):
            raise RuntimeError(
                f"pass {recipe.name}: a worker cannot survive even its control item (exit {control_code}); "
                "look at the machine's memory and at the installed libraries"
            )
        exits.append(code)
    name = str(suspect.get("uri", suspect["key"])).rsplit("/", 1)[-1]
    if exits[-1] == hang.EXIT_CODE:
        reason, what = FailureReason.TIMED_OUT, f"its decoder gave nothing for {hang.LIMIT_S:g} s, twice"
    else:
        reason, what = FailureReason.KILLED_WORKER, f"killed its worker {len(exits)} times alone ({_words(exits[-1])})"
    return failure(suspect, reason, f"{name}: {what}")


def _run_child(recipe: Recipe, items: Sequence[dict[str, Any]]) -> tuple[list[Result], int]:
    """What a child managed of `items` before it ended, and its exit code (negative: the signal)."""
    with subprocess.Popen(
        [sys.executable, "-m", "auricle.pipelines.isolation"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            pickle.dump((recipe, list(items)), child.stdin)
            child.stdin.close()
        except BrokenPipeError:
            pass
        done: list[Any] = []
        error: BaseException | None = None
        try:
            while True:
                frame = pickle.load(child.stdout)
                if isinstance(frame, BaseException):
                    error = frame
                    break
                done.append(frame)
        except (EOFError, pickle.UnpicklingError):
            # the child ended, by itself or in the middle of a frame
            error = None
        code = child.wait()
    if error is not None:
        raise error
    return done, code


def _words(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def die_with_parent() -> None:
    """This process goes when its parent goes, also when the parent is killed. Linux only; no effect elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Child: read (recipe, items) on stdin, write one pickled result per item on stdout."""
    die_with_parent()
    out = os.fdopen(os.dup(1), "wb")
    # libraries that print must not write into the stream of results
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    hang.exit_when_hung()
    recipe, items = pickle.load(sys.stdin.buffer)
    try:
        work = recipe.build()
        for item in items:
            for result in work([item]):
                pickle.dump(result, out)
            out.flush()
    except Exception as error:
        pickle.dump(error, out)
        out.flush()


if __name__ == "__main__":
    main()
