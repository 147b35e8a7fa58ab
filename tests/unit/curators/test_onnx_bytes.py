"""Weights in the bytes of a model, against the runtime's own reading of them."""

import numpy as np
import onnxruntime
import pytest

from auricle.curators.models import package_file
from auricle.curators.onnx_bytes import field, node, replaced, weights, with_weights

DNSMOS = ("speechmos", "dnsmos_models", "sig_bak_ovr.onnx")


@pytest.fixture(scope="module")
def model() -> bytes:
    return package_file(*DNSMOS).read_bytes()


def run(model: bytes, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"input_1": x[None]})[0])[0]


def test_a_model_with_nothing_changed_is_the_same_bytes(model: bytes) -> None:
    assert with_weights(model, {}) == model


def test_weights_have_the_shapes_of_the_layers(model: bytes) -> None:
    found = weights(model)
    assert found["conv2d/kernel:0"].shape == (128, 1, 3, 3)
    assert found["conv2d_1/bias:0"].shape == (64,)
    assert all(np.isfinite(values).all() for values in found.values())


def test_a_changed_bias_is_what_the_network_adds(model: bytes) -> None:
    name = "mos_estimator_logpow/dense_3/BiasAdd/ReadVariableOp/resource:0"
    bias, added = weights(model)[name], np.array([1, 2, 3], dtype=np.float32)
    x = np.random.default_rng(0).normal(0, 0.1, 144_160).astype(np.float32)
    changed = with_weights(model, {name: bias + added})
    assert weights(changed)[name] == pytest.approx(bias + added)
    assert run(changed, x) - run(model, x) == pytest.approx(added, abs=1e-5)


def test_long_contents_have_long_lengths() -> None:
    assert field(7, b"a" * 300) == bytes([7 << 3 | 2, 300 & 127 | 128, 300 >> 7]) + b"a" * 300


LOG_POWER, FIRST = "adjusted_input6", "mos_estimator_logpow/conv2d/Relu:0"


def test_nodes_made_here_do_what_those_in_their_place_did(model: bytes) -> None:
    x = np.random.default_rng(0).normal(0, 0.1, 144_160).astype(np.float32)
    nodes = [
        node("Conv", [LOG_POWER, "kernel", "bias"], "answers", kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=1),
        node("Relu", ["answers"], FIRST),
    ]
    own = weights(model)
    constants = {"kernel": own["conv2d/kernel:0"], "bias": own["conv2d/bias:0"]}
    changed = replaced(model, LOG_POWER, FIRST, nodes, constants)
    assert run(changed, x) == pytest.approx(run(model, x), abs=1e-6)
    halved = replaced(model, LOG_POWER, FIRST, nodes, constants | {"kernel": constants["kernel"] / 2})
    assert np.abs(run(halved, x) - run(model, x)).max() > 0.01
    # what only the nodes before read is not carried along
    assert set(weights(changed)) == set(own) - {"conv2d/kernel:0", "conv2d/bias:0"} | set(constants)


def test_what_is_no_chain_of_nodes_is_refused(model: bytes) -> None:
    with pytest.raises(ValueError, match=f"no chain of nodes from {FIRST} to {LOG_POWER}"):
        replaced(model, FIRST, LOG_POWER, [], {})
