"""What clips sound like, frame by frame, from a version's `features` representation."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow.compute as pc

from ...diagnostics.codes.sound import SOUND_ROWS
from ...loaders.reading.version import Version
from ...schemas.representation import RepresentationSpec

FEATURE_ROWS = ("f0_hz", "voicing", "energy_db", "flux")
"""First rows of the features representation, as `extractors.features.features.ROWS` orders them."""


def clip_sound(
    version: Version,
    beside: RepresentationSpec,
    names: tuple[str, ...] = SOUND_ROWS,
    clips: Collection[str] | None = None,
) -> dict[str, np.ndarray] | None:
    """`[len(names), T]` float32 of each of `clips` (default all) at the frames of `beside`; None without features at
    such a rate.

    A rate that is a whole multiple of that of `beside` is averaged over each frame. Takes 4 bytes per row and frame.
    """
    for name, entry in sorted(version.document.representations.items()):
        times = entry.spec.frame_rate / beside.frame_rate
        if entry.spec.codec == "features" and times >= 1 and abs(times - round(times)) < 1e-6:
            rows = [FEATURE_ROWS.index(row) for row in names]
            where = None if clips is None else pc.field("clip").isin(sorted(clips))
            return {
                sample.key: _averaged(sample.array[rows].astype(np.float32), round(times))
                for sample in version.samples(name, where=where)
            }
    return None


def _averaged(rows: np.ndarray, times: int) -> np.ndarray:
    """Means over successive `times` columns; what is left over at the end is a frame of its own."""
    if times == 1:
        return rows
    starts = np.arange(0, rows.shape[1], times)
    counts = np.diff(np.append(starts, rows.shape[1]))
    return (np.add.reduceat(rows, starts, axis=1) / counts).astype(np.float32)
