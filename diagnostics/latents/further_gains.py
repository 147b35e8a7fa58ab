"""Gains of clips beyond those that predictions are fitted on (`estimates.pieces`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..estimates.pieces import ClipSource
from .clip_gains import ClipGains, FoldGains, GainTable

PIECE_VALUES = 32_000_000
"""Of a piece, at most: 62 500 frames of 512 dimensions. It takes the models of its fold along, some 50 MB there."""


@dataclass(frozen=True, slots=True, eq=False)
class GainsJob:
    """A piece: clips of one fold."""

    models: FoldGains
    dim: int
    source: ClipSource
    clips: Mapping[str, str]
    """With the group of each."""


@dataclass(frozen=True, slots=True, eq=False)
class FurtherGains:
    """What a piece came to."""

    clips: ClipGains
    skipped: dict[str, int]
    """Clips left out, by reason."""


def score_gains(job: GainsJob) -> FurtherGains:
    """Read the clips of a piece and score them."""
    table, skipped = GainTable(len(job.models.lags)), Counter[str]()
    for key, latents in job.source.arrays(job.clips):
        reason = unusable(latents, job.dim)
        if reason:
            skipped[reason] += 1
        else:
            table.add(key, job.clips[key], latents, job.models)
    return FurtherGains(table.gains(), dict(skipped))


def unusable(latents: np.ndarray, dim: int) -> str:
    """Why an array is no clip of latents `[dim, T]`, or "". dim: 0 where any will do."""
    if latents.ndim != 2 or not np.issubdtype(latents.dtype, np.floating):
        return "not_latents"
    if latents.size == 0:
        return "empty"
    if dim and latents.shape[0] != dim:
        return "other_dimension"
    return "" if np.isfinite(latents).all() else "not_finite"
