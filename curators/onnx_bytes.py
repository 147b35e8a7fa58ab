"""Weights of an ONNX model read and replaced in its bytes, without the package `onnx`.

A message of protocol buffers is a row of fields: a key (number and wire type), then a value. Here only the fields on
the way to a graph's float initializers are looked into; all others are copied as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
GRAPH = 7
"""Field of ModelProto."""
INITIALIZER = 5
"""Field of GraphProto."""
DIMS, DATA_TYPE, FLOAT_DATA, NAME, RAW_DATA = 1, 2, 4, 8, 9
"""Fields of TensorProto."""
FLOAT = 1


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def _as_varint(value: int) -> bytes:
    found = bytearray()
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview, memoryview]]:
    """(number, value, all bytes) of each field; a value of a fixed width is bytes as well."""
    at = 0
    while at < len(message):
        first = at
        key, at = _varint(message, at)
        wire = key & 7
        value: int | memoryview
        if wire == VARINT:
            value, at = _varint(message, at)
        else:
            size = 8 if wire == FIXED64 else 4
            if wire == BYTES:
                size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        yield key >> 3, value, message[first:at]


def field(number: int, content: bytes) -> bytes:
    """A field of bytes."""
    return _as_varint(number << 3 | BYTES) + _as_varint(len(content)) + content


def _tensor(message: memoryview) -> tuple[str, np.ndarray | None]:
    """Name and float32 values of a TensorProto; None for another type."""
    name, kind, dims, values = "", 0, [], np.zeros(0, dtype=np.float32)
    for number, value, _ in fields(message):
        if isinstance(value, int):
            dims += [value] if number == DIMS else []
            kind = value if number == DATA_TYPE else kind
        elif number == DIMS:
            at = 0
            while at < len(value):
                size, at = _varint(value, at)
                dims.append(size)
        elif number == NAME:
            name = bytes(value).decode()
        elif number in (FLOAT_DATA, RAW_DATA):
            values = np.frombuffer(value, dtype="<f4") if kind == FLOAT or number == FLOAT_DATA else values
    return name, values.reshape(dims) if kind == FLOAT and values.size == math.prod(dims) else None


def weights(model: bytes) -> dict[str, np.ndarray]:
    """The float32 initializers of a model by name."""
    found = {}
    for number, graph, _ in fields(memoryview(model)):
        if number == GRAPH and isinstance(graph, memoryview):
            tensors = (_tensor(v) for n, v, _ in fields(graph) if n == INITIALIZER and isinstance(v, memoryview))
            found |= {name: values for name, values in tensors if values is not None}
    return found


def with_weights(model: bytes, changed: Mapping[str, np.ndarray]) -> bytes:
    """The model with the initializers `changed` in place of its own of these names; shapes may differ."""
    out = []
    for number, graph, whole in fields(memoryview(model)):
        if number != GRAPH or not isinstance(graph, memoryview):
            out.append(bytes(whole))
            continue
        parts = []
        for inner, value, kept in fields(graph):
            name = _tensor(value)[0] if inner == INITIALIZER and isinstance(value, memoryview) else ""
            parts.append(bytes(kept) if name not in changed else field(INITIALIZER, _message(name, changed[name])))
        out.append(field(GRAPH, b"".join(parts)))
    return b"".join(out)


def _message(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(_as_varint(DIMS << 3 | VARINT) + _as_varint(size) for size in values.shape)
    kind = _as_varint(DATA_TYPE << 3 | VARINT) + _as_varint(FLOAT)
    return dims + kind + field(NAME, name.encode()) + field(RAW_DATA, values.astype("<f4").tobytes())
