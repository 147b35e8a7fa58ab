"""Jobs for processes of their own: the spawned children import them by name."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from auricle.pipelines.work.contract import Result
from auricle.pipelines.work.hang import bounded
from auricle.schemas.pass_tables import ERROR_FIELDS


def double_or_die(job: int) -> list[int]:
    """Twice the job; 3 kills its process and 4 waits for ever in a decoder, without letting go of the interpreter."""
    if job == 3:
        os.abort()
    if job == 4:
        with bounded():
            re.match(r"(a+)+$", "a" * 64 + "b")
    return [job, job]


def sleep_long(job: int) -> int:
    """Leaves its process id in the folder MARKS, then works for ever."""
    (Path(os.environ["MARKS"]) / str(os.getpid())).touch()
    time.sleep(1000)
    return job


@dataclass(frozen=True)
class HangingRecipe:
    """A pass that never returns on the item whose key is `hang`."""

    name: str = "hanging"
    fingerprint: str = "hanging"

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([pa.field("key", pa.string()), *ERROR_FIELDS])

    def build(self) -> Any:
        return self._work

    def _work(self, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        for item in items:
            with bounded():
                time.sleep(1000 if item["key"] == "hang" else 0)
            yield Result({"key": item["key"]})
