"""A pass whose rows say where they were made; it takes its time, so that nodes can come and go meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from auricle.pipelines.work.contract import Result
from auricle.schemas.pass_tables import ERROR_FIELDS


@dataclass(frozen=True)
class WhereRecipe:
    """Items: key."""

    seconds: float
    name: str = "extract"
    fingerprint: str = "0123456789abcdef"

    @property
    def schema(self) -> pa.Schema:
        made = [pa.field(name, pa.string()) for name in ("node", "process", "cards")]
        return pa.schema([pa.field("key", pa.string()), *ERROR_FIELDS, *made])

    def build(self) -> _Where:
        return _Where(self.seconds)


class _Where:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        import ray

        where = {"node": ray.get_runtime_context().get_node_id(), "process": str(os.getpid())}
        for item in items:
            time.sleep(self._seconds)
            yield Result({"key": item["key"], "cards": os.environ.get("CUDA_VISIBLE_DEVICES"), **where}, audio_s=1.0)
