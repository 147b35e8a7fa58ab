"""Training for a given time with early stopping, on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from .adam import Adam

_PATIENCE = 3
_CHECK_SHARE = 0.1
"""Of the time between looks at the validation clips."""
_LAST_RATE = 0.02


def train(
    model: torch.nn.Module,
    losses: Iterator[torch.Tensor],
    check: Callable[[], float],
    *,
    seconds: float,
    rate: float,
    max_steps: int | None = None,
    say: Callable[[float, int], None] = lambda _found, _step: None,
) -> float:
    """Leaves the model as it was best on the validation clips, untrained perhaps, and returns what `check` said then.

    losses: one per step, each of the model as it is when the iterator is asked; without end. check: lower is better.
    seconds, max_steps: whichever is used up first; the rate falls to near zero by then. say: told every check, steps.
    """
    optimizer = Adam(model.parameters())
    best, best_state, worse = check(), _copied(model), 0
    begin, looked = time.monotonic(), 0.0
    for step, loss in enumerate(losses, start=1):
        # what is left of the steps sets the rate, else what is left of the time
        gone = (step - 1) / max_steps if max_steps else (time.monotonic() - begin) / seconds
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(rate * max(_LAST_RATE, 1 - min(gone, 1.0)))
        done = max((time.monotonic() - begin) / seconds, step / max_steps if max_steps else 0.0)
        if done - looked >= _CHECK_SHARE or done >= 1:
            looked = done
            found = check()
            say(found, step)
            worse = 0 if found < best else worse + 1
            if found < best:
                best, best_state = found, _copied(model)
            if done >= 1 or worse >= _PATIENCE:
                break
    model.load_state_dict(best_state)
    return best


@contextmanager
def one_thread(seed: int) -> Iterator[None]:
    """Torch on one thread and with this seed; both are as before afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def _copied(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: w.detach().clone() for name, w in model.state_dict().items()}
