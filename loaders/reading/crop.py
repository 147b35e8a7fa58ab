"""Crops: the frames of a clip that belong to its samples [start, end), the same whatever the clip's length."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from ...schemas.counted import counted
from ...schemas.errors import ConfigError
from ...schemas.representation import RepresentationSpec, frame_range
from .version import Sample, Version


def crop(version: Version, representation: str, clip: str, start: int, end: int) -> np.ndarray:
    """Frames of samples [start, end) of a clip, `[rows, frames]` in the representation's dtype.

    start, end: counted from the clip's first sample, at the recording's own rate.
    Raises `ConfigError` for a clip that lacks the representation or a crop that leaves it, `IntegrityError` for a
    damaged shard.
    """
    spec = version.representation(representation)
    sample = next(version.samples(spec.name, where=pc.equal(pc.field("clip"), clip)), None)
    if sample is None:
        raise ConfigError(f"clip {clip}: version {version.document.number} has no {spec.name} of it, or it is not kept")
    return cropped(sample, spec, start, end)


def cropped(sample: Sample, spec: RepresentationSpec, start: int, end: int) -> np.ndarray:
    """`crop` of a sample in hand; a view into its array."""
    length = sample.clip["end"] - sample.clip["start"]
    if not 0 <= start <= end <= length:
        raise ConfigError(f"clip {sample.key} has {counted(length, 'sample')}: [{start}, {end}) is no part of it")
    first, last = frame_range(spec, start, end, sample.clip["sample_rate"])
    return sample.array[:, first:last]
