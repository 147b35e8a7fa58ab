"""Split-half repeatability: does one half of a clip predict the other half?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def repeatability(halves: np.ndarray, seconds: np.ndarray, groups: Sequence[str]) -> float | None:
    """Correlation of the rates of the two halves of clips, within groups; None with fewer than 10 clips to compare.

    halves, seconds: `[N, 2]`. Clips that lack a half, and groups of one clip, say nothing and are left out.
    """
    whole = (seconds > 0).all(1) & np.isfinite(halves).all(1)
    _, group = np.unique(np.asarray(groups, dtype=str)[whole], return_inverse=True)
    rate = halves[whole] / seconds[whole]
    count = np.bincount(group)
    told = count[group] > 1 if group.size else np.zeros(0, bool)
    if told.sum() < 10:
        return None
    means = np.stack([np.bincount(group, column) / count for column in rate.T], axis=1)
    first, second = (rate - means[group])[told].T
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / scale) if scale > 0 else None
