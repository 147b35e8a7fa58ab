"""Whether steps change their archetype where the sound changes: correlation with pitch, level and flux.

Two successive steps span three frames. They have one archetype or two; over the same frames the pitch moves by so many
semitones, the level by so many dB, the spectral flux by so much. Each is taken about its mean in the clip, so that loud
or lively clips alone make no correlation. Frames in random order have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..estimates.interval import Interval, correlation
from .steps import Steps

ROWS = ("f0_hz", "energy_db", "flux")
"""Of the sound that is given."""
CHANGES = ("f0", "energy", "flux")
RANGE_DB = 60.0
"""Below the clip's loudest frame every level counts as the same silence."""


def acoustic_changes(
    steps: Steps, label: np.ndarray, keys: list[str], groups: list[str], sound: Mapping[str, np.ndarray]
) -> dict[str, Interval]:
    """Correlation of a change of archetype with that of each of `CHANGES`; intervals over groups.

    label: `[N]` archetype of each step. keys, groups: of every clip. sound: `ROWS` `[3, T]` of a clip at the rate of
    its frames; clips that are not in it do not count. F0 counts only where it is voiced before and after.
    """
    sums = {name: np.zeros((len(keys), 4)) for name in CHANGES}
    bounds = np.searchsorted(steps.clip, np.arange(len(keys) + 1))
    for clip, key in enumerate(keys):
        rows, (begin, end) = sound.get(key), bounds[clip : clip + 2]
        if rows is None or end - begin < 2:
            continue
        at, own = steps.position[begin:end], label[begin:end]
        # both steps moved, and the frame after them is still heard
        pair = np.flatnonzero((np.diff(at) == 1) & (at[1:] + 1 < rows.shape[1]))
        before, after = at[pair], at[pair] + 2
        other = (own[pair + 1] != own[pair]).astype(np.float64)
        for name, measured in _MEASURES.items():
            change = measured(rows, before, after)
            known = np.isfinite(change)
            if known.sum() > 1:
                x, y = other[known] - other[known].mean(), change[known] - change[known].mean()
                sums[name][clip] = x @ y, x @ x, y @ y, x.size
    return {name: correlation(s[:, 0], (s[:, 1], s[:, 2]), s[:, 3], groups) for name, s in sums.items()}


def _pitch(rows: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Semitones; NaN where one of the two is unvoiced."""
    voiced = (rows[0, before] > 0) & (rows[0, after] > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        semitones = 12 * np.abs(np.log2(rows[0, after] / rows[0, before]))
    return np.where(voiced, semitones, np.nan)


def _level(rows: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """dB."""
    floored = np.maximum(rows[1], rows[1].max() - RANGE_DB)
    return np.abs(floored[after] - floored[before])


def _flux(rows: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Share of the spectrum."""
    return np.abs(rows[2, after] - rows[2, before])


_MEASURES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = dict(
    zip(CHANGES, (_pitch, _level, _flux), strict=True)
)
