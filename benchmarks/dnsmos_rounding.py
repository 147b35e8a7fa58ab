"""Makes `curators/weights/dnsmos_int8.safetensors`: DNSMOS' three largest convolutions in integers of 8 bits.

    python benchmarks/dnsmos_rounding.py

On recordings of training speakers in training noises, at several levels. First, channels are scaled between layers,
which a ReLU allows, so that those with large values do not take the resolution of the others (Xiao et al., 2023,
SmoothQuant). Then weights are rounded one input at a time, and what rounding changes in the output is taken back by the
inputs that are not rounded yet (Frantar et al., 2023, GPTQ); the bias takes back the mean of what is left.
"""

from __future__ import annotations

import os
from itertools import pairwise

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_data import RATE, utterances
from dnsmos_windows import cases
from safetensors.numpy import save_file

from auricle.curators.models import session
from auricle.curators.networks.eight_bits import FIRST, LARGEST, LARGEST_VALUE, LARGEST_WEIGHT, WEIGHTS, rectified
from auricle.curators.networks.silent_filters import MODEL_SHA256, answering
from auricle.curators.onnx_bytes import weights
from auricle.curators.signal.dnsmos import INPUT_SIZE, _model, looped

SEEDS = (5, 7, 8)
LAYERS = (FIRST, *LARGEST)
MARGIN = 1.25
"""The range of a layer over its largest value on the windows."""
BALANCE = 0.8
"""Exponent of a channel's largest value in its scale; the rest is for the weights that read it."""
QUIET, SMALL = 0.05, 0.01
"""Channels and their weights are taken for this share of the largest at least."""
POSITIONS = 4000
"""Of each window at which the products of inputs are averaged."""
DAMPING = 0.01
"""Added to the diagonal of these, relative to its mean."""


def windows() -> list[np.ndarray]:
    """`[INPUT_SIZE]` each: speech in noise, and clean at full scale and 30 dB below."""
    found = [x for seed in SEEDS for x, _, _ in cases(seed)]
    for u in utterances(False)[::6]:
        loudest = np.abs(u.waveform).max()
        found += [u.waveform[: 9 * RATE] * np.float32(level / loudest) for level in (1.0, 0.03)]
    return [looped(x)[:INPUT_SIZE] for x in found]


def patches(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`[C, T, F]` to `[POSITIONS, C * 9]`: what the 3 x 3 filters see at random positions."""
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    t, f = (rng.integers(0, size, POSITIONS) for size in values.shape[1:])
    seen = np.stack([padded[:, t + i, f + j] for i, j in np.ndindex(3, 3)], axis=-1)
    return seen.transpose(1, 0, 2).reshape(POSITIONS, -1)


def balanced(own: dict[str, np.ndarray], largest: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list]:
    """Kernels and biases with channels scaled between layers, and by how much each layer's output was divided."""
    found = {f"{n}/{p}": own[f"{n}/{p}:0"].astype(np.float64) for n in LAYERS for p in ("kernel", "bias")}
    scales = []
    for name, reader in pairwise(LAYERS):
        most = np.maximum(largest[name], QUIET * largest[name].max())
        heard = np.abs(found[f"{reader}/kernel"]).max(axis=(0, 2, 3))
        scale = most**BALANCE / np.maximum(heard, SMALL * heard.max()) ** (1 - BALANCE)
        scale /= scale.max()
        found[f"{name}/kernel"] /= scale[:, None, None, None]
        found[f"{name}/bias"] /= scale
        found[f"{reader}/kernel"] *= scale[:, None, None]
        scales.append(scale)
    return found, [*scales, np.ones(len(largest[LAYERS[-1]]))]


def weight_scales(rows: np.ndarray, power: np.ndarray) -> np.ndarray:
    """`[out]`: of `[out, in]` weights, the scale with the least squared error where inputs have `power` `[in]`."""
    most = np.abs(rows).max(axis=1)
    scales = most[:, None] * np.linspace(0.5, 1, 26) / LARGEST_WEIGHT
    error = [(((_whole(rows, s) * s[:, None] - rows) ** 2) * power).sum(axis=1) for s in scales.T]
    return scales[np.arange(len(rows)), np.argmin(error, axis=0)]


def _whole(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values / scale.reshape(-1, *[1] * (values.ndim - 1))), -LARGEST_WEIGHT, LARGEST_WEIGHT)


def rounded(rows: np.ndarray, products: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """`[out, in]` weights as integers, by the mean products `[in, in]` of inputs: GPTQ, largest inputs first."""
    damped = products + np.eye(len(products)) * DAMPING * np.mean(np.diag(products))
    order = np.argsort(-np.diag(damped), kind="stable")
    left = rows[:, order].copy()
    spread = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    found = np.zeros_like(left)
    for i in range(len(order)):
        found[:, i] = _whole(left[:, i], scale)
        error = (left[:, i] - found[:, i] * scale) / spread[i, i]
        left[:, i:] -= error[:, None] * spread[i, i:]
    return found[:, np.argsort(order)]


def fitted() -> dict[str, np.ndarray]:
    """The tensors of `eight_bits.load_integers`."""
    tensors = [rectified(name) for name in LAYERS]
    model, rng = session(_model(), tuple(tensors), answering), np.random.default_rng(0)
    highest: dict[str, list[np.ndarray]] = {name: [] for name in LAYERS}
    nothing = np.zeros((), dtype=np.float32)
    products: dict[str, np.ndarray] = dict.fromkeys(LARGEST, nothing)
    means: dict[str, np.ndarray] = dict.fromkeys(LARGEST, nothing)
    heard = windows()
    for x in heard:
        for name, reader, answer in zip(LAYERS, (*LARGEST, ""), model.run(tensors, {"input_1": x[None]}), strict=True):
            values = np.asarray(answer)[0]
            highest[name].append(values.max(axis=(1, 2)))
            if reader:
                seen = patches(values, rng)
                products[reader] = products[reader] + seen.T @ seen / (POSITIONS * len(heard))
                means[reader] = means[reader] + seen.mean(axis=0) / len(heard)
    largest = {name: np.max(values, axis=0) for name, values in highest.items()}
    found, scales = balanced(weights(answering(_model().read_bytes())), largest)
    out: dict[str, np.ndarray] = {
        f"{FIRST}/{part}": found[f"{FIRST}/{part}"].astype(np.float32) for part in ("kernel", "bias")
    }
    for name, scale in zip(LAYERS, scales, strict=True):
        step = MARGIN * float((largest[name] / scale).max()) / LARGEST_VALUE
        out[f"{name}/step"] = np.array(step, dtype=np.float32)
    for before, scale, name in zip(LAYERS, scales, LARGEST, strict=False):
        divided = np.repeat(scale, 9)
        kernel, mean = found[f"{name}/kernel"], means[name] / divided
        rows = kernel.reshape(len(kernel), -1)
        inputs = products[name] / np.outer(divided, divided)
        own = weight_scales(rows, np.diag(inputs))
        whole = rounded(rows, inputs, own)
        bias = found[f"{name}/bias"] + (rows - whole * own[:, None]) @ mean
        out[f"{name}/kernel"] = whole.reshape(kernel.shape).astype(np.int8)
        out[f"{name}/scale"] = own.astype(np.float32)
        out[f"{name}/bias"] = np.round(bias / (own * out[f"{before}/step"])).astype(np.int32)
    return out


if __name__ == "__main__":
    save_file(fitted(), WEIGHTS, metadata={"network": MODEL_SHA256, "licence": "MIT, as the network in speechmos"})
    print(f"{WEIGHTS}: {WEIGHTS.stat().st_size} bytes")
