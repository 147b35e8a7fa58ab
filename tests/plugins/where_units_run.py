"""A pass whose rows say where they were made; it takes its time, so that nodes can come and go meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from auricle.pipelines.work.contract import Result
from auricle.schemas.pass_tables import ERROR_FIELDS


@dataclass(frozen=True)
class WhereRecipe:
    """Items: key.

    meet: a folder in which workers note that they came up; until `parties` of them are there, units wait, though not
    longer than `patience_s` from the start of their worker: on a busy machine the first ones would else do everything.
    """

    seconds: float
    name: str = "extract"
    fingerprint: str = "0123456789abcdef"
    meet: str = ""
    parties: int = 0
    patience_s: float = 90.0

    @property
    def schema(self) -> pa.Schema:
        made = [pa.field(name, pa.string()) for name in ("node", "process", "cards")]
        return pa.schema([pa.field("key", pa.string()), *ERROR_FIELDS, *made])

    def build(self) -> _Where:
        return _Where(self)


class _Where:
    def __init__(self, recipe: WhereRecipe) -> None:
        self._recipe, self._patient_until = recipe, time.monotonic() + recipe.patience_s
        if recipe.meet:
            Path(recipe.meet).mkdir(parents=True, exist_ok=True)
            Path(recipe.meet, str(os.getpid())).touch()

    def _wait_for_others(self) -> None:
        recipe = self._recipe
        while len(os.listdir(recipe.meet)) < recipe.parties and time.monotonic() < self._patient_until:
            time.sleep(0.1)

    def __call__(self, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        import ray

        where = {"node": ray.get_runtime_context().get_node_id(), "process": str(os.getpid())}
        if self._recipe.meet:
            self._wait_for_others()
        for item in items:
            time.sleep(self._recipe.seconds)
            yield Result({"key": item["key"], "cards": os.environ.get("CUDA_VISIBLE_DEVICES"), **where}, audio_s=1.0)
