"""Pseudo-speakers: clips whose voices are alike, found over the whole corpus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SAME = 0.45
"""Cosine to the middle of a group from which a clip belongs to it. From benchmarks/voice.py."""
BLOCK = 4096


def group_voices(keys: Sequence[str], embeddings: np.ndarray, same: float = SAME) -> list[str]:
    """For each clip the smallest key of its group. Depends on which clips there are, not on their order.

    keys: distinct; embeddings: `[N, 45]` rows of length 1. In the order of keys each clip joins the group whose middle
    is nearest, if that is near enough, or founds one; then all clips join the nearest of the final middles. Takes
    N times the number of groups; nothing is compared pair by pair.
    """
    order = np.argsort(np.array(keys, dtype=object), kind="stable")
    rows = np.asarray(embeddings, dtype=np.float32)[order]
    sums = np.zeros((64, rows.shape[1]), dtype=np.float32)
    middles = np.zeros_like(sums)
    count = 0
    for row in rows:
        near = middles[:count] @ row if count else np.zeros(0)
        at = int(near.argmax()) if count else -1
        if count == 0 or near[at] < same:
            if count == len(sums):
                sums, middles = (np.concatenate([a, np.zeros_like(a)]) for a in (sums, middles))
            at, count = count, count + 1
        sums[at] += row
        middles[at] = sums[at] / max(float(np.linalg.norm(sums[at])), 1e-12)
    chosen = np.empty(len(rows), dtype=np.int64)
    for first in range(0, len(rows), BLOCK):
        part = slice(first, first + BLOCK)
        chosen[part] = (rows[part] @ middles[:count].T).argmax(axis=1)
    founder: dict[int, str] = {}
    names = [""] * len(rows)
    for place, group in zip(order, chosen, strict=True):
        names[int(place)] = founder.setdefault(int(group), keys[int(place)])
    return names
