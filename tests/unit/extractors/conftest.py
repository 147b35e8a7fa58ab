"""One seeded instance of each upstream model per test session: building them is what costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from auricle.extractors.codecs import encodec, mimi


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The upstream references are computed with one thread, as the exact mode is."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def upstream_mimi() -> Any:
    """A `moshi` MimiModel with the weights of `seed:0`, untouched by our code after seeding."""
    return mimi.seeded_model(0)


@pytest.fixture(scope="session")
def upstream_encodec24() -> Any:
    """An `encodec` EncodecModel at 24 kHz with the weights of `seed:0`, weight normalisation in place."""
    return encodec.seeded_model("encodec_model_24khz", 0)


@pytest.fixture(scope="session")
def upstream_encodec48() -> Any:
    """An `encodec` EncodecModel at 48 kHz with the weights of `seed:0`."""
    return encodec.seeded_model("encodec_model_48khz", 0)


@pytest.fixture(scope="session")
def noise() -> Any:
    """A function (num_samples, channels, seed) to `[C, T]` float32 noise with a moving spectrum."""

    def make(num_samples: int, channels: int = 1, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        white = rng.standard_normal((channels, num_samples))
        slow = np.sin(np.arange(num_samples) / 700 + seed)
        tone = np.sin(np.cumsum(0.05 + 0.04 * slow))
        return (0.05 * white * (1 + slow) + 0.1 * tone).astype(np.float32)

    return make
