"""What the diagnosis of latents costs a core: nothing to know in advance, and nothing to pass."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from known_rows import Row

from auricle.diagnostics.estimates.samples import Kept
from auricle.diagnostics.known.processes import VectorAutoregression
from auricle.diagnostics.motion.clips import beginnings
from auricle.diagnostics.summary import diagnose_latents, diagnose_motion

CLIPS, FRAMES, SPEAKERS = 250, 125, 20


def costs(large: bool) -> Iterator[Row]:
    """31 250 frames of a VAR(1): gains, information and read-outs of all, motion of a sample."""
    for dim in (48, 128, 512):
        data = VectorAutoregression.random(dim, 0.95, 0).sample(CLIPS, FRAMES, 1).astype(np.float32)
        samples = [(f"{i:03}", f"s{i % SPEAKERS:02}", clip) for i, clip in enumerate(data)]
        index = [(key, group, clip.shape[1]) for key, group, clip in samples]
        kept = Kept(samples, beginnings(index, dim))
        begin = time.process_time()
        latents = diagnose_latents(kept, 12.5, group_kind="speaker", index=index)
        middle = time.process_time()
        motion = diagnose_motion(kept.clips, 12.5, group_kind="speaker", order=latents.order)
        end = time.process_time()
        yield Row(
            f"{CLIPS * FRAMES} frames of {dim} dimensions: CPU seconds",
            f"gains, information and read-outs {middle - begin:.1f}, motion of {motion.num_frames} frames "
            f"{end - middle:.1f}",
            "(for comparison)",
            True,
        )
