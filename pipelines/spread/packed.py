"""Results as bytes: records of arrays, numbers and text, without pickle."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import numpy as np

TREE = "tree"


def pack(value: Any) -> bytes:
    """A dataclass of arrays, numbers, text, None, and lists, tuples, dictionaries and dataclasses of these."""
    arrays: dict[str, np.ndarray] = {}
    tree = json.dumps(_tree(value, arrays))
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{TREE: np.frombuffer(tree.encode(), np.uint8)}, **arrays)
    return buffer.getvalue()


def unpack(data: bytes, kind: type) -> Any:
    """What `pack` was given, of the dataclass `kind`. Raises ValueError for what is none."""
    known = {_name(each): each for each in _records(kind)}
    with np.load(io.BytesIO(data), allow_pickle=False) as held:
        return _value(json.loads(held[TREE].tobytes()), held, known)


def _tree(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[f"array{len(arrays)}"] = value
        return {"array": f"array{len(arrays) - 1}"}
    if is_dataclass(value) and not isinstance(value, type):
        return {
            "record": _name(type(value)),
            "of": {f.name: _tree(getattr(value, f.name), arrays) for f in fields(value)},
        }
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_tree(each, arrays) for each in value]}
    if isinstance(value, dict):
        return {"dict": [[key, _tree(each, arrays)] for key, each in value.items()]}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} cannot be packed")


def _value(tree: Any, held: Any, known: dict[str, type]) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return held[tree["array"]]
    if "record" in tree:
        if tree["record"] not in known:
            raise ValueError(f"a record of {tree['record']}, where one of {', '.join(known)} is expected")
        return known[tree["record"]](**{name: _value(each, held, known) for name, each in tree["of"].items()})
    if "dict" in tree:
        return {key: _value(each, held, known) for key, each in tree["dict"]}
    ((kind, values),) = tree.items()
    made = [_value(each, held, known) for each in values]
    return tuple(made) if kind == "tuple" else made


def _records(kind: Any) -> Iterator[type]:
    """The dataclasses in a type."""
    if isinstance(kind, type) and is_dataclass(kind):
        yield kind
        for hint in get_type_hints(kind).values():
            yield from _records(hint)
    for part in get_args(kind):
        yield from _records(part)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
