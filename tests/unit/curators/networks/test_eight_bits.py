"""DNSMOS in integers against the same arithmetic in numpy, and against the network in floats."""

import numpy as np
import pytest

from auricle.curators.models import session
from auricle.curators.networks.eight_bits import (
    FIRST,
    HIGHEST,
    LARGEST,
    LARGEST_VALUE,
    LARGEST_WEIGHT,
    LOG_POWER,
    POOLED,
    in_eight_bits,
    load_integers,
)
from auricle.curators.networks.silent_filters import answering
from auricle.curators.signal import dnsmos
from auricle.curators.signal.dnsmos import INPUT_SIZE, POLYNOMIALS, outputs

FRAMES = 24
"""Of the log powers that the emulation hears."""


def noise(level: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, level, INPUT_SIZE).astype(np.float32)


def convolved(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """`[C, T, F]` and `[out, C, 3, 3]` to `[out, T, F]`, zeros around, float64: exact for these integers."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    t, f = x.shape[1:]
    found = np.zeros((len(kernel), t, f))
    for i, j in np.ndindex(3, 3):
        found += np.tensordot(kernel[:, :, i, j].astype(np.float64), padded[:, i : i + t, j : j + f], 1)
    return found


def quantised(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, LARGEST_VALUE)


def emulated(log_power: np.ndarray) -> tuple[np.ndarray, float]:
    """The pooled output of the integer layers for `[T, F]` log powers, and the largest integer on the way."""
    w = load_integers()
    first = convolved(log_power[None], w[f"{FIRST}/kernel"]) + w[f"{FIRST}/bias"][:, None, None]
    x, step = quantised(first / w[f"{FIRST}/step"]), float(w[f"{FIRST}/step"])
    highest = x.max()
    for layer in LARGEST:
        sums = convolved(x, w[f"{layer}/kernel"]) + w[f"{layer}/bias"][:, None, None]
        own = float(w[f"{layer}/step"])
        x, step = quantised(sums * (step * w[f"{layer}/scale"] / own)[:, None, None]), own
        highest = max(highest, x.max())
    c, t, f = x.shape
    return x[:, : t // 2 * 2, : f // 2 * 2].reshape(c, t // 2, 2, f // 2, 2).max((2, 4)) * step, highest


def test_the_integer_layers_are_the_arithmetic_that_they_say():
    model = session(dnsmos._model(), (LOG_POWER, POOLED), in_eight_bits)
    log_power, pooled = model.run([LOG_POWER, POOLED], {"input_1": noise(0.05)[None]})
    expected, _ = emulated(np.asarray(log_power)[0, :FRAMES])
    # the last frames lack what is after them
    got, expected = np.asarray(pooled)[0, :, : FRAMES // 2 - 2], expected[:, : FRAMES // 2 - 2]
    step = float(load_integers()[f"{LARGEST[-1]}/step"])
    apart = np.rint(np.abs(got - expected) / step)
    assert expected.max() > 20 * step
    # where floats end in the middle between two integers, the first layer's may fall on either
    assert apart.max() <= 1
    assert (apart == 0).mean() > 0.999


def test_two_products_fit_the_sixteen_bits_in_which_some_processors_add_them():
    kernels = [load_integers()[f"{layer}/kernel"].astype(int) for layer in LARGEST]
    assert max(np.abs(k).max() for k in kernels) == LARGEST_WEIGHT
    assert 2 * LARGEST_VALUE * LARGEST_WEIGHT < 2**15


def mos(raw: np.ndarray) -> np.ndarray:
    return np.array([np.polyval(p, v) for p, v in zip(POLYNOMIALS.values(), raw, strict=True)])


def in_floats(x: np.ndarray) -> np.ndarray:
    return np.asarray(session(dnsmos._model(), edit=answering).run(None, {"input_1": x[None]})[0])[0]


def highest(x: np.ndarray) -> float:
    return np.asarray(session(dnsmos._model(), (HIGHEST,), in_eight_bits).run(None, {"input_1": x[None]})[1]).item()


@pytest.mark.parametrize("level", [0.001, 0.01, 0.1])
def test_in_range_the_scores_are_nearly_those_of_floats(level):
    x = noise(level)
    assert highest(x) < LARGEST_VALUE
    apart = np.abs(mos(outputs(x, "fast")) - mos(in_floats(x))).max()
    assert 0 < apart < 0.1
    assert np.array_equal(outputs(x, "reference"), in_floats(x))


@pytest.mark.parametrize("kind", ["silence", "clicks"])
def test_a_window_out_of_range_is_heard_in_floats(kind):
    x = np.zeros(INPUT_SIZE, dtype=np.float32)
    x[:: 16000 // 7] += kind == "clicks"
    assert highest(x) == LARGEST_VALUE
    assert np.array_equal(outputs(x, "fast"), in_floats(x))


def test_another_network_is_heard_in_floats_and_whole(tmp_path, monkeypatch):
    other, x = tmp_path / "other.onnx", noise(0.05)
    other.write_bytes(dnsmos._model().read_bytes() + b"\x08\x07")  # the same, with its version of the format said again
    expected = np.asarray(session(dnsmos._model()).run(None, {"input_1": x[None]})[0])[0]
    monkeypatch.setattr(dnsmos, "_model", lambda: other)
    assert np.array_equal(outputs(x, "fast"), expected)


def test_scores_in_integers_are_another_version_than_those_in_floats():
    fast, reference = dnsmos.DnsmosCurator(), dnsmos.DnsmosCurator(mode="reference")
    assert fast.weights() != reference.weights()
