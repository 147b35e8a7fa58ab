"""Rows of the table of known answers, and diagnoses of arrays that sources gave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auricle.diagnostics.estimates.estimate import Estimate
from auricle.diagnostics.estimates.interval import Interval
from auricle.diagnostics.summary import CodesDiagnosis, LatentsDiagnosis, diagnose_codes, diagnose_latents

SEEDS = 5


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    test: str
    measured: str
    gate: str
    passed: bool


def holds(estimate: Estimate | Interval, truth: float = 0.0) -> bool:
    """Whether the interval contains the truth."""
    return estimate.low is not None and estimate.high is not None and estimate.low <= truth <= estimate.high


def codes(clips: np.ndarray, cardinality: int, groups: int = 20) -> CodesDiagnosis:
    """Diagnosis of `[N, K, T]` codes at 1 frame/s, clip i of group i % groups: bit/s are bits per frame."""
    samples = [(f"{i:05}", f"{i % groups:03}", clip) for i, clip in enumerate(clips)]
    return diagnose_codes(samples, 1.0, cardinality, group_kind="speaker")


def latents(clips: np.ndarray, frame_rate: float, groups: int = 20, **options) -> LatentsDiagnosis:
    """Diagnosis of `[N, D, T]` latents, clip i of group i % groups."""
    samples = [(f"{i:05}", f"{i % groups:03}", clip) for i, clip in enumerate(clips)]
    return diagnose_latents(samples, frame_rate, group_kind="speaker", **options)
