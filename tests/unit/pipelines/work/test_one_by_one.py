"""An item that raises is its row; what would befall every item ends the pass, in one line."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from ray.exceptions import RayTaskError

from auricle.jobs.cli import explained
from auricle.pipelines.work.cluster import our_error
from auricle.pipelines.work.contract import Result
from auricle.pipelines.work.one_by_one import each, why
from auricle.schemas.errors import ClipError, WeightsError, WorkerError

ITEMS = [{"key": key, "uri": f"folder/{key}.wav"} for key in "abcd"]


def work(at: str, raised: Callable[[], Exception]) -> Callable[[Sequence[dict[str, Any]]], Iterator[Result]]:
    def call(items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        # in batches of two, as the passes do it
        for start in range(0, len(items), 2):
            batch = items[start : start + 2]
            if any(item["key"] == at for item in batch):
                raise raised()
            yield from (Result({"key": item["key"]}) for item in batch)

    return call


def rows(at: str, raised: Callable[[], Exception]) -> list[tuple[str, str | None, str | None]]:
    found = each(work(at, raised), ITEMS)
    return [(r.row["key"], r.row.get("error_reason"), r.row.get("error_message")) for r in found]


@pytest.mark.parametrize("at", "abcd")
def test_the_item_that_raises_is_a_row_and_the_others_are_done_in_order(at: str) -> None:
    for key, reason, message in rows(at, lambda: KeyError("odd\nand long")):
        assert (reason, message) == (
            ("internal", f"{at}.wav: KeyError: 'odd\\nand long'") if key == at else (None, None)
        )
    assert [key for key, _, _ in rows(at, lambda: KeyError("odd"))] == list("abcd")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClipError("corrupt", "c.wav: torn"), ("corrupt", "c.wav: torn")),
        (ClipError("of a plugin", "c.wav: odd"), ("extraction", "of a plugin: c.wav: odd")),
        (MemoryError(), ("out_of_memory", "MemoryError")),
        (OSError(errno.EIO, "Input/output error"), ("storage", "OSError: [Errno 5] Input/output error")),
        (ValueError("first line\nsecond"), ("internal", "ValueError: first line")),
        (ValueError("x" * 9999), ("internal", "ValueError: " + "x" * 488)),
    ],
)
def test_every_error_has_a_reason_and_one_line(error: Exception, expected: tuple[str, str]) -> None:
    assert why(error) == expected


def test_torch_running_out_of_memory_is_of_the_moment() -> None:
    torch = pytest.importorskip("torch")
    assert why(torch.cuda.OutOfMemoryError("CUDA out of memory"))[0] == "out_of_memory"


@pytest.mark.parametrize("error", [WeightsError("absent"), OSError(errno.ENOSPC, "No space left on device")])
def test_what_would_befall_every_item_ends_the_pass(error: Exception) -> None:
    with pytest.raises(type(error)):
        rows("c", lambda: error)


def test_what_ended_a_pass_is_one_plain_line_with_an_exit_code() -> None:
    wrapped = RayTaskError("_UnitActor", "Traceback\n  File x\nmany lines", ValueError("a plugin's\ntrouble"))
    found = our_error(wrapped, "the score pass")
    assert isinstance(found, WorkerError)
    message, code = explained(found, [])
    assert message.startswith("the score pass ended: ValueError: a plugin's. ")
    assert ("\n" in message, code) == (False, 9)
    weights = WeightsError("mimi: absent")
    assert our_error(RayTaskError("_UnitActor", "Traceback\nmany lines", weights)) is weights
    full = OSError(errno.ENOSPC, "No space left on device")
    assert explained(our_error(RayTaskError("_UnitActor", "Traceback", full)), []) == ("No space left on device", 5)


def test_an_unexpected_error_is_one_line_as_well() -> None:
    assert explained(RuntimeError("first\nsecond"), [])[0].startswith("unexpected RuntimeError: first. ")
