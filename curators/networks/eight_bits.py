"""DNSMOS with its three largest convolutions in integers of 8 bits, which halves the time of a window where the
processor multiplies such integers (AVX-512 VNNI, AVX-VNNI, Arm's dot product).

What enters a convolution is 0 to 255 times a scale, since it comes out of a ReLU; weights are -63 to 63 times a scale
of their filter. With 7 bits in the weights two products fit the 16 bits in which AVX2 adds pairs, so that every
processor gets the same sums. Weights, scales and biases are in `weights/dnsmos_int8.safetensors`, which
`benchmarks/dnsmos_rounding.py` makes from the package's network; `benchmarks/dnsmos_int8.py` shows what they change.

The first convolution stays in floats, and is a matrix product over blocks of frames: its output is four times the size
of its rounding, and is never in memory as a whole.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from ...schemas.errors import WeightsError
from ..models import weights_sha256
from ..onnx_bytes import FLOAT, node, replaced
from .silent_filters import answering

WEIGHTS = Path(__file__).parents[1] / "weights" / "dnsmos_int8.safetensors"
FRAMES, BINS = 900, 161
"""Of the log powers that the convolutions begin with."""
BLOCK_FRAMES = 100
FIRST = "conv2d"
LARGEST = ("conv2d_1", "conv2d_2", "conv2d_3")
LARGEST_WEIGHT = 63
LARGEST_VALUE = 255
HIGHEST = "highest_of_eight_bits"
"""The largest integer that entered or left these convolutions, as a float `[1, 1, 1, 1]`: at `LARGEST_VALUE` the window
was outside the range that the scales are for, and has to be heard in floats."""
_GRAPH = "mos_estimator_logpow"
LOG_POWER = f"{_GRAPH}/truediv:0"
POOLED = f"{_GRAPH}/{LARGEST[-1]}/Relu:0_pooling0"


def rectified(layer: str) -> str:
    """The network's name of a convolution's output after the ReLU."""
    return f"{_GRAPH}/{layer}/Relu:0"


@cache
def load_integers(path: Path = WEIGHTS) -> dict[str, np.ndarray]:
    """Weights by name.

    `conv2d/kernel` `[128, 1, 3, 3]` and `/bias` float32 of the first layer. Of each of `LARGEST`: `/kernel`
    `[out, in, 3, 3]` int8, `/scale` `[out]` float32 of its weights, `/bias` `[out]` int32 in units of the scales of
    input and weights. Of all four: `/step` `[]` float32, the scale of the output.
    Raises `WeightsError` without the file.
    """
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except FileNotFoundError:
        raise WeightsError(f"{path.name} is missing: install auricle again") from None


def integers_sha256() -> str:
    """64 hex digits over the file of weights."""
    return weights_sha256(WEIGHTS)


def in_eight_bits(model: bytes) -> bytes:
    """The network that `silent_filters` knows, in integers, with a tensor `HIGHEST` that can be an output."""
    return with_integers(answering(model), load_integers())


def with_integers(model: bytes, w: dict[str, np.ndarray]) -> bytes:
    """The shortened network with the first four convolutions of `load_integers`."""
    constants = {**w, "zero": np.array(0, dtype=np.uint8)}
    nodes = _first_layer(constants)
    for before, layer in zip((FIRST, *LARGEST), LARGEST, strict=False):
        constants[f"{layer}/zeros"] = np.zeros(len(w[f"{layer}/scale"]), dtype=np.int8)
        given = [f"{before}/integers", f"{before}/step", "zero", f"{layer}/kernel", f"{layer}/scale", f"{layer}/zeros"]
        nodes.append(
            node(
                "QLinearConv",
                [*given, f"{layer}/step", "zero", f"{layer}/bias"],
                f"{layer}/integers",
                kernel_shape=[3, 3],
                pads=[1, 1, 1, 1],
            )
        )
    last = LARGEST[-1]
    halved = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes += [
        node("MaxPool", [f"{last}/integers"], f"{last}/pooled", **halved),
        node("DequantizeLinear", [f"{last}/pooled", f"{last}/step", "zero"], POOLED),
    ]
    nodes += _highest()
    return replaced(model, LOG_POWER, POOLED, nodes, constants)


def _first_layer(constants: dict[str, np.ndarray]) -> list[bytes]:
    """Nodes that make `conv2d/integers` of the log powers; `constants` gets what they read."""
    constants["margins"] = np.array([0, 1, 1, 0, 1, 1])
    constants["row"] = np.array([1, -1])
    constants["axes"] = np.array([1, 2])
    kernel = constants.pop(f"{FIRST}/kernel")
    constants[f"{FIRST}/matrix"] = np.ascontiguousarray(kernel.reshape(len(kernel), -1).T)
    constants["block"] = np.array([1, BLOCK_FRAMES, BINS, len(kernel)])
    nodes, blocks = [node("Pad", [LOG_POWER, "margins"], "padded")], []
    for first in range(0, FRAMES, BLOCK_FRAMES):
        rows = []
        for i, j in np.ndindex(3, 3):
            at = f"{first}/{i}{j}"
            constants[f"{at}/start"] = np.array([first + i, j])
            constants[f"{at}/end"] = np.array([first + i + BLOCK_FRAMES, j + BINS])
            nodes.append(node("Slice", ["padded", f"{at}/start", f"{at}/end", "axes"], at))
            nodes.append(node("Reshape", [at, "row"], f"{at}/row"))
            rows.append(f"{at}/row")
        nodes += [
            node("Concat", rows, f"{first}/patches", axis=0),
            node("Gemm", [f"{first}/patches", f"{FIRST}/matrix", f"{FIRST}/bias"], f"{first}/values", transA=1),
            # below zero is zero, which is the ReLU
            node("QuantizeLinear", [f"{first}/values", f"{FIRST}/step", "zero"], f"{first}/integers"),
            node("Reshape", [f"{first}/integers", "block"], f"{first}/block"),
        ]
        blocks.append(f"{first}/block")
    joined = node("Concat", blocks, f"{FIRST}/frames", axis=1)
    return [*nodes, joined, node("Transpose", [f"{FIRST}/frames"], f"{FIRST}/integers", perm=[0, 3, 1, 2])]


def _highest() -> list[bytes]:
    """Nodes that make `HIGHEST`."""
    last = LARGEST[-1]
    pools = [(f"{layer}/integers", [FRAMES, BINS]) for layer in LARGEST[:-1]]
    # what pooling leaves out, nothing reads
    pools.append((f"{last}/pooled", [FRAMES // 2, BINS // 2]))
    found = [f"{layer}/highest" for layer in LARGEST]
    nodes = [
        node("MaxPool", [tensor], name, kernel_shape=size) for name, (tensor, size) in zip(found, pools, strict=True)
    ]
    return [
        *nodes,
        node("Concat", found, "highest/filters", axis=1),
        node("ReduceMax", ["highest/filters"], "highest/others"),
        node("ReduceMax", [f"{FIRST}/frames"], "highest/first"),
        node("Concat", ["highest/first", "highest/others"], "highest", axis=0),
        node("ReduceMax", ["highest"], "highest/integer"),
        node("Cast", ["highest/integer"], HIGHEST, to=FLOAT),
    ]
