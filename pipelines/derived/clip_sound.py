"""Level and voicing of every frame of a version's clips, from its `features` representation."""

from __future__ import annotations

import numpy as np

from ...diagnostics.codes.sound import SOUND_ROWS
from ...loaders.reading.version import Version
from ...schemas.representation import RepresentationSpec

FEATURE_ROWS = ("f0_hz", "voicing", "energy_db")
"""First rows of the features representation, as `extractors.features.features.ROWS` orders them."""


def clip_sound(version: Version, codes: RepresentationSpec) -> dict[str, np.ndarray] | None:
    """`[2, T]` float32 (`SOUND_ROWS`) of each clip at the frames of `codes`; None without features at such a rate.

    A rate that is a whole multiple of the codes' is averaged over each frame. Takes 8 bytes of memory per frame.
    """
    for name, entry in sorted(version.document.representations.items()):
        times = entry.spec.frame_rate / codes.frame_rate
        if entry.spec.codec == "features" and times >= 1 and abs(times - round(times)) < 1e-6:
            rows = [FEATURE_ROWS.index(row) for row in SOUND_ROWS]
            return {
                sample.key: _averaged(sample.array[rows].astype(np.float32), round(times))
                for sample in version.samples(name)
            }
    return None


def _averaged(rows: np.ndarray, times: int) -> np.ndarray:
    """Means over successive `times` columns; what is left over at the end is a frame of its own."""
    if times == 1:
        return rows
    starts = np.arange(0, rows.shape[1], times)
    counts = np.diff(np.append(starts, rows.shape[1]))
    return (np.add.reduceat(rows, starts, axis=1) / counts).astype(np.float32)
