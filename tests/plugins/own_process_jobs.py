"""Jobs for processes of their own: the spawned children import them by name."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from auricle.pipelines.work.contract import Result, failure
from auricle.pipelines.work.hang import bounded
from auricle.pipelines.work.threads import ONE_THREAD
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


AT_START = dict(os.environ)
"""The environment when this module was imported."""


def environment_at_start(job: int) -> dict[str, str]:
    """What numeric libraries found when they loaded."""
    return {name: AT_START[name] for name in ONE_THREAD}


def cpu_per_second(job: int) -> float:
    """CPU seconds of this process per second of matrix products."""
    product = np.ones((700, 700))
    _ = product @ product
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(20):
        _ = product @ product
    return (time.process_time() - cpu) / (time.perf_counter() - wall)


@dataclass(frozen=True)
class ThreadsRecipe:
    """A pass that tells of each item with which threads its process began."""

    name: str = "threads"
    fingerprint: str = "threads"

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([pa.field("key", pa.string()), *ERROR_FIELDS])

    def build(self) -> Any:
        return self._work

    def _work(self, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        for item in items:
            yield failure(item, "internal", repr(environment_at_start(0)))


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
