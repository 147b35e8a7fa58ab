"""What a command answers: text and tables for a person, or with `--json` one JSON object for a script.

Only the answer goes to standard output. Progress, notices and errors go to standard error.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import typer
from pydantic import BaseModel


def answer(as_json: bool, facts: Mapping[str, Any], printed: Callable[[], None]) -> None:
    """Print `facts` as one JSON object, or call `printed`, which prints them for a person."""
    if as_json:
        typer.echo(json.dumps(plain(facts), ensure_ascii=False, allow_nan=False, indent=2))
    else:
        printed()


def plain(value: Any) -> Any:
    """`value` in the types that JSON has. Numbers that are not finite become null, since JSON has none of them."""
    if value is None or (isinstance(value, bool | int | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json", by_alias=True))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, pa.Table | pa.Array | pa.ChunkedArray):
        return plain(value.to_pylist())
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return [plain(item) for item in sorted(value)]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
