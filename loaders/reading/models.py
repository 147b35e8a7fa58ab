"""The promoted models of a dataset: numbered documents under `models/`, of which the newest holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone

from ...schemas.errors import ConfigError
from ...schemas.models import ModelsDocument
from ..storage.store import Store


def model_numbers(store: Store) -> list[int]:
    """Numbers of all documents, ascending."""
    found = (re.fullmatch(r"models/(\d{6})\.json", entry.path) for entry in store.list("models"))
    return sorted(int(match[1]) for match in found if match)


def read_models(store: Store, number: int | None = None) -> ModelsDocument:
    """Document `number`, or the newest; an empty one numbered 0 where nothing was ever promoted."""
    known = model_numbers(store)
    if number is None:
        number = known[-1] if known else 0
    if number == 0:
        return ModelsDocument(number=0, created="")
    if number not in known:
        listed = ", ".join(map(str, [0, *known]))
        raise ConfigError(f"{store.url}: no promotion {number}; there are {listed} (0: what configurations say)")
    return ModelsDocument.from_json(store.get(_path(number)))


def publish_models(store: Store, make: Callable[[ModelsDocument], ModelsDocument]) -> ModelsDocument:
    """Put what `make` gives for the newest document under the next number; made again when another was first."""
    while True:
        newest = read_models(store)
        made = make(newest).model_copy(
            update={"number": newest.number + 1, "created": datetime.now(timezone.utc).isoformat(timespec="seconds")}
        )
        if store.put_new(_path(made.number), made.to_json()):
            return made


def _path(number: int) -> str:
    return f"models/{number:06d}.json"
