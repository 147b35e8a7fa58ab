"""What level and pauses explain of a frame's cost, and what they leave.

On read speech four fifths of a frame's bits follow from how loud it is, so clips ranked by bits are ranked by level
and pauses. A cross-fitted regression on level and voicing takes that out; what it leaves is what is hard to predict
about the speech itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SOUND_ROWS = ("energy_db", "voicing")
"""Rows of a clip's sound `[2, T]`: level in dB, and the correlation of a period with the next, 0 to 1."""
VOICED = 0.5
_RIDGE = 1e-6
_KNOTS = (0.1, 0.3, 0.5, 0.7, 0.9)


def frame_sound(sound: Mapping[str, np.ndarray], keys: list[str], lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sound of all frames `[2, F]` in the order of the clips, and which clips have it, `[N]` bool.

    A frame more or less than the codes have is cut or repeated; clips without sound are zeros.
    """
    parts, known = [], np.zeros(len(keys), bool)
    for i, (key, length) in enumerate(zip(keys, lengths.tolist(), strict=True)):
        found = sound.get(key)
        if found is None or found.ndim != 2 or abs(found.shape[1] - length) > 1 or not np.isfinite(found).all():
            parts.append(np.zeros((2, length)))
            continue
        known[i] = True
        at = np.minimum(np.arange(length), found.shape[1] - 1)
        parts.append(found[:, at])
    return np.concatenate(parts, axis=1) if parts else np.zeros((2, 0)), known


@dataclass(frozen=True, slots=True, eq=False)
class SoundRegression:
    """A frame's bits from level and voicing: level as a piecewise linear function, its change before and after,
    voicing, and their product."""

    center_db: float
    spread_db: float
    knots: np.ndarray
    """Of the level, in spreads above the center."""
    weights: np.ndarray
    """`[folds, C]`, of each fold fitted on the frames of the others."""
    mean_bits: float
    """Of all frames that were fitted on."""
    explained: float
    """Share of the variance of frames' bits, held out."""

    @classmethod
    def fit(cls, bits: np.ndarray, sound: np.ndarray, clip: np.ndarray, fold: np.ndarray) -> SoundRegression:
        """bits: `[F]`. sound: `[2, F]`. clip, fold: `[F]` of each frame."""
        level = sound[0].astype(np.float64)
        center, spread = float(level.mean()), float(level.std()) or 1.0
        knots = np.quantile((level - center) / spread, _KNOTS)
        design = _design(sound, clip, center, spread, knots)
        weights = np.zeros((int(fold.max()) + 1, design.shape[1]))
        deviation, left = np.empty(bits.shape[0]), np.empty(bits.shape[0])
        for held_out in range(weights.shape[0]):
            train, test = fold != held_out, fold == held_out
            past = design[train]
            gram = past.T @ past + _RIDGE * train.sum() * np.eye(design.shape[1])
            weights[held_out] = np.linalg.solve(gram, past.T @ bits[train])
            left[test] = bits[test] - design[test] @ weights[held_out]
            deviation[test] = bits[test] - bits[train].mean()
        scatter = float((deviation**2).sum())
        explained = float(1 - (left**2).sum() / scatter) if scatter > 0 else 0.0
        return cls(center, spread, knots, weights, float(bits.mean()), explained)

    def left_over(self, bits: np.ndarray, sound: np.ndarray, clip: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """What it leaves of each frame's bits, `[F]`."""
        design, left = _design(sound, clip, self.center_db, self.spread_db, self.knots), np.empty(bits.shape[0])
        for held_out in np.unique(fold):
            test = fold == held_out
            left[test] = bits[test] - design[test] @ self.weights[held_out]
        return left


def _design(sound: np.ndarray, clip: np.ndarray, center: float, spread: float, knots: np.ndarray) -> np.ndarray:
    level, voicing = sound[0].astype(np.float64), sound[1].astype(np.float64)
    level = (level - center) / spread
    start = np.concatenate(([True], clip[1:] != clip[:-1]))
    rise = np.where(start, 0.0, np.diff(level, prepend=level[:1]))
    coming = np.append(rise[1:], 0.0)
    hinges = [np.maximum(level - knot, 0) for knot in knots]
    columns = [np.ones_like(level), level, *hinges, rise, coming, np.abs(rise), np.abs(coming), voicing]
    return np.stack([*columns, voicing * level, voicing * rise], axis=1)
