"""Weights and nodes of an ONNX model read and replaced in its bytes, without the package `onnx`.

A message of protocol buffers is a row of fields: a key (number and wire type), then a value. Here only the fields on
the way to a graph's nodes and float initializers are looked into; all others are copied as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
GRAPH = 7
"""Field of ModelProto."""
NODE, INITIALIZER = 1, 5
"""Fields of GraphProto."""
INPUT, OUTPUT, OPERATOR, ATTRIBUTE = 1, 2, 4, 5
"""Fields of NodeProto."""
ATTRIBUTE_NAME, ATTRIBUTE_INT, ATTRIBUTE_INTS, ATTRIBUTE_TYPE = 1, 3, 8, 20
"""Fields of AttributeProto."""
INT_TYPE, INTS_TYPE = 2, 7
"""Of its types."""
DIMS, DATA_TYPE, FLOAT_DATA, NAME, RAW_DATA = 1, 2, 4, 8, 9
"""Fields of TensorProto."""
FLOAT = 1
TYPES = {"<f4": FLOAT, "|u1": 2, "|i1": 3, "<i4": 6, "<i8": 7}
"""TensorProto's types by numpy's."""


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
            new = _message(name, changed[name].astype("<f4")) if name in changed else None
            parts.append(bytes(kept) if new is None else field(INITIALIZER, new))
        out.append(field(GRAPH, b"".join(parts)))
    return b"".join(out)


def _number(field_number: int, value: int) -> bytes:
    return _as_varint(field_number << 3 | VARINT) + _as_varint(value)


def _message(name: str, values: np.ndarray) -> bytes:
    # x86 and Arm, on which onnxruntime runs, are little-endian, as the format is
    dims = b"".join(_number(DIMS, size) for size in values.shape)
    kind = _number(DATA_TYPE, TYPES[values.dtype.str])
    return dims + kind + field(NAME, name.encode()) + field(RAW_DATA, values.tobytes())


def node(operator: str, inputs: Sequence[str], output: str, **attributes: int | Sequence[int]) -> bytes:
    """One operator with one output; attributes are integers or lists of them, none negative."""
    parts = [field(INPUT, name.encode()) for name in inputs]
    parts += [field(OUTPUT, output.encode()), field(OPERATOR, operator.encode())]
    for name, value in attributes.items():
        if isinstance(value, int):
            content = _number(ATTRIBUTE_INT, value) + _number(ATTRIBUTE_TYPE, INT_TYPE)
        else:
            content = b"".join(_number(ATTRIBUTE_INTS, v) for v in value) + _number(ATTRIBUTE_TYPE, INTS_TYPE)
        parts.append(field(ATTRIBUTE, field(ATTRIBUTE_NAME, name.encode()) + content))
    return b"".join(parts)


def _names(message: memoryview, number: int) -> list[str]:
    return [bytes(value).decode() for n, value, _ in fields(message) if n == number and isinstance(value, memoryview)]


def replaced(model: bytes, first: str, last: str, nodes: Sequence[bytes], constants: Mapping[str, np.ndarray]) -> bytes:
    """The model with `nodes` in place of the chain of nodes that makes the tensor `last` of the tensor `first`.

    In the chain each node's first input is the output of the one before; what else they read is left out with them.
    constants: initializers that the new nodes read. Raises `ValueError` where there is no such chain.
    """
    graph = next(value for number, value, _ in fields(memoryview(model)) if number == GRAPH)
    if not isinstance(graph, memoryview):
        raise ValueError("the model has no graph")
    made = {_names(v, OUTPUT)[0]: v for n, v, _ in fields(graph) if n == NODE and isinstance(v, memoryview)}
    chain, unused, tensor = set[str](), set[str](), last
    while tensor != first:
        if tensor not in made:
            raise ValueError(f"the model has no chain of nodes from {first} to {last}")
        chain.add(tensor)
        tensor, *others = _names(made[tensor], INPUT)
        unused |= set(others)
    parts: list[bytes] = []
    for number, value, kept in fields(graph):
        if number == NODE and isinstance(value, memoryview) and (output := _names(value, OUTPUT)[0]) in chain:
            # nodes stand in the order in which they run
            parts += [field(NODE, n) for n in nodes] if output == last else []
        elif number != INITIALIZER or not isinstance(value, memoryview) or _tensor(value)[0] not in unused:
            parts.append(bytes(kept))
    parts += [field(INITIALIZER, _message(name, values)) for name, values in constants.items()]
    return b"".join(
        bytes(kept) if number != GRAPH else field(GRAPH, b"".join(parts))
        for number, _, kept in fields(memoryview(model))
    )
