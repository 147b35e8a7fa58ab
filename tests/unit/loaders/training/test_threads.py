"""Reading ahead in threads: in order, bounded, and nothing is left running."""

from __future__ import annotations

import threading
import time

import pytest

from auricle.loaders.training.threads import in_threads


def running() -> int:
    return sum(thread.name.startswith("auricle-batches") for thread in threading.enumerate())


def test_results_come_in_order_and_only_so_many_ahead() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.01 if item % 3 else 0.03)
        return item * item

    for taken, result in enumerate(in_threads(work, range(20), threads=3, ahead=4)):
        assert result == taken * taken
        assert len(begun) <= taken + 5
    assert sorted(begun) == list(range(20))
    assert running() == 0


def test_an_error_comes_in_its_place_and_ends_the_threads() -> None:
    def work(item: int) -> int:
        if item == 2:
            raise ValueError("the third")
        return item

    found = in_threads(work, range(1000), threads=2, ahead=3)
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ValueError, match="the third"):
        next(found)
    assert running() == 0


def test_an_iteration_that_is_given_up_leaves_no_thread() -> None:
    found = in_threads(lambda item: item, range(1000), threads=2, ahead=3)
    assert next(found) == 0
    assert running() > 0
    found.close()
    assert running() == 0
