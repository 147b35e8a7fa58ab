"""Clips before and after a codec, to listen to inside a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...schemas.representation import RepresentationSpec
from .examples import heard_alike

MOST = 3
SOUND_BYTES = 45_000
"""Of each of the two sounds; all together 270 kB beside the other examples."""


@dataclass(frozen=True)
class Decoded:
    """One kept clip and what its codes stand for."""

    clip: str
    path: str
    before_wav: bytes
    after_wav: bytes


def pairs(spec: RepresentationSpec, examples: Sequence[Decoded]) -> dict[str, Any]:
    """What the template shows: the representation's name, its bits, and up to `MOST` pairs of sounds."""
    kbps = spec.rows * math.log2(spec.cardinality or 1) * spec.frame_rate / 1000
    found = []
    for example in examples[:MOST]:
        both = {"recorded": example.before_wav, "decoded": example.after_wav}
        drawn = heard_alike([(data, f"Clip {example.clip}, {what}") for what, data in both.items()], SOUND_BYTES)
        found.append({"example": example, "sounds": list(zip(both, drawn, strict=True))})
    return {"name": spec.name, "kbps": kbps, "rows": spec.rows, "pairs": found}
