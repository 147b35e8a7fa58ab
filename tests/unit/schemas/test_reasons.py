"""Why files and clips fail: one table of reasons, each with what it is a property of."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

from auricle.schemas.tables import OF_THE_MOMENT, FailureClass, FailureReason, kind_of

OPERATIONS = Path(__file__).resolve().parents[3] / "docs" / "operations.md"


def test_passing_faults_are_of_the_moment_and_faults_of_the_bytes_are_not() -> None:
    assert {"missing", "storage", "timed_out", "out_of_memory", "changed_while_read", "unreadable"} == OF_THE_MOMENT
    assert kind_of("missing") is FailureClass.MOMENT
    assert kind_of("corrupt") is kind_of("a word of another version") is FailureClass.BYTES


def test_operations_explains_every_reason_with_its_class() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (bytes|moment) \|", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == {reason.value: reason.kind.value for reason in FailureReason}


def test_a_reason_is_its_word_wherever_it_goes() -> None:
    for reason in FailureReason:
        assert f"{reason}" == reason.value
        assert pickle.loads(pickle.dumps(reason)) is reason
