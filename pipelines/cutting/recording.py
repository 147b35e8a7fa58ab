"""One recording from its samples and labels to clips: listen, lay the labels' words on it, cut, say what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...curators.signal.vad import vad_weights
from ...schemas.config import Segmentation
from ...schemas.keys import digest
from ..audio.decode import open_audio
from .listening import Listener
from .tiling import Tiling, check_tiling, tile

CUTTING_VERSION = 1
"""Raised whenever recordings are cut in another way."""


@dataclass
class Cut:
    """How a recording is cut. spans: `[start, end)` samples of clips, ascending, the same on every channel.

    aligned: by (start, end, channel), a row of `schemas.tables.ALIGNED`. facts: a row of `schemas.tables.CUTTING`.
    """

    spans: list[tuple[int, int]]
    aligned: dict[tuple[int, int, int], dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def cutting_fingerprint(segment: Segmentation) -> str:
    """Names how recordings are cut at pauses."""
    return digest("cutting", CUTTING_VERSION, str(segment.min_s), str(segment.max_s), vad_weights())


def cut_recording(path: Path, segment: Segmentation, labels: Sequence[Mapping[str, Any]]) -> Cut:
    """Cut one recording at its pauses, in the memory of minutes.

    labels: rows of `pipelines.tables.cues.CUE`. Raises `ClipError` for what cannot be decoded or has no samples.
    """
    with open_audio(path) as reader:
        info = reader.info
        listener, num_samples = Listener(info.sample_rate, info.num_channels), 0
        for first, block in reader.blocks():
            listener.feed(block)
            num_samples = first + block.shape[1]
    if num_samples == 0:
        return Cut([])
    heard = listener.finish()
    tiling = tile(heard.speech.max(axis=0), num_samples, info.sample_rate, segment.min_s, segment.max_s)
    check_tiling(tiling, num_samples)
    return Cut(tiling.clips, {}, facts(tiling))


def facts(tiling: Tiling) -> dict[str, Any]:
    """A row of `schemas.tables.CUTTING`."""
    gaps = [{"start": gap.start, "end": gap.end, "kind": gap.kind} for gap in tiling.gaps]
    return {"gaps": gaps, "forced": tiling.forced, "timing": [], "sound": []}
