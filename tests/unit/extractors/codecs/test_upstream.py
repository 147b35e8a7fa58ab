"""The codecs' own packages against our extraction, whichever way their model was built."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from auricle.extractors.codecs.upstream import Upstream, made_upstream
from auricle.extractors.coding import registry
from auricle.schemas.config import RepresentationConfig


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("codec", "kind", "more"),
    [
        ("mimi", "codes", {"num_codebooks": 4}),
        ("mimi", "latents", {}),
        ("mimi", "quantized", {"num_codebooks": 16}),
        ("encodec24", "codes", {"num_codebooks": 16}),
        ("encodec24", "latents", {}),
        ("encodec24", "quantized", {"num_codebooks": 2}),
        ("encodec48", "codes", {"num_codebooks": 2}),
        ("encodec48", "scales", {}),
    ],
)
def test_a_view_that_the_package_makes_equals_ours_bit_for_bit(
    noise: Any, codec: str, kind: str, more: dict[str, Any], channels: int
) -> None:
    config = RepresentationConfig(codec=codec, kind=kind, weights="seed:0", **more)
    (ours,) = registry.build([config])
    (spec,) = ours.specs
    assert made_upstream(spec)
    audio = noise(22050 + 7, channels)
    (expected,) = ours.extract(audio, 22050).values()
    found = Upstream(config, spec)(audio, 22050)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("codec", "kind", "more"),
    [("encodec24", "latents", {"rate_hz": 12.5}), ("mimi", "seanet", {"rate_hz": 25}), ("builtin", "codes", {})],
)
def test_what_no_package_makes_is_not_compared(codec: str, kind: str, more: dict[str, Any]) -> None:
    weights = {} if codec == "builtin" else {"weights": "seed:0"}
    assert not made_upstream(registry.describe(RepresentationConfig(codec=codec, kind=kind, **weights, **more)))
