"""Pseudo-speakers: clips whose voices are alike, found over the whole corpus."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

LEAST = 0.4
"""Cosine to the middle of a group that a clip needs in any case to belong to it; with `CHANCE` what groups the training
speakers of `benchmarks/voice.py --choose` best (harmonic mean of purity and coverage)."""
MOST = 0.95
"""And what suffices in any case."""
UNLIKE_MEAN, UNLIKE_SPREAD = 0.04, 0.22
"""Of the cosine between a clip and the middle of another speaker's clips, by the same command."""
CHANCE = 0.2
"""Accepted probability that a new voice is like one of the groups there are by accident."""
BLOCK = 4096
MAX_GROUPS = 4096
"""Groups that are looked for; clips like none of them stay by themselves. Bounds the time."""


def required(groups: int) -> float:
    """Cosine from which a clip belongs to the nearest of so many groups: among many voices one is always rather like
    it, so that in a corpus of thousands groups fall apart into single clips sooner than they swallow strangers."""
    chance = UNLIKE_MEAN + UNLIKE_SPREAD * NormalDist().inv_cdf(1 - CHANCE / max(groups, 1))
    return min(max(LEAST, chance), MOST)


def group_voices(keys: Sequence[str], embeddings: np.ndarray, same: float | None = None) -> list[str]:
    """For each clip the smallest key of its group. Depends on which clips there are, not on their order.

    keys: distinct; embeddings: `[N, 45]` rows of length 1; same: a cosine in place of `required`. In the order of
    keys each clip joins the group whose middle is nearest, if that is near enough, or founds one; then all clips join
    the nearest of the final middles. After `MAX_GROUPS` no more are founded: a clip that is like none stays alone.
    """
    order = np.argsort(np.array(keys, dtype=object), kind="stable")
    rows = np.asarray(embeddings, dtype=np.float32)[order]
    sums = np.zeros((64, rows.shape[1]), dtype=np.float32)
    middles = np.zeros_like(sums)
    alone = np.zeros(len(rows), dtype=bool)
    count = 0
    for k, row in enumerate(rows):
        near = middles[:count] @ row if count else np.zeros(0)
        at = int(near.argmax()) if count else -1
        if count == 0 or near[at] < (required(count) if same is None else same):
            if count == MAX_GROUPS:
                alone[k] = True
                continue
            if count == len(sums):
                sums, middles = (np.concatenate([a, np.zeros_like(a)]) for a in (sums, middles))
            at, count = count, count + 1
        sums[at] += row
        middles[at] = sums[at] / max(float(np.linalg.norm(sums[at])), 1e-12)
    chosen = np.empty(len(rows), dtype=np.int64)
    for first in range(0, len(rows), BLOCK):
        part = slice(first, first + BLOCK)
        near = rows[part] @ middles[:count].T
        chosen[part] = near.argmax(axis=1)
        lonely = alone[part] & (near.max(axis=1) < (required(count) if same is None else same))
        # numbers beyond the groups: one for each clip
        chosen[part] = np.where(lonely, count + first + np.arange(len(near)), chosen[part])
    founder: dict[int, str] = {}
    names = [""] * len(rows)
    for place, group in zip(order, chosen, strict=True):
        names[int(place)] = founder.setdefault(int(group), keys[int(place)])
    return names
