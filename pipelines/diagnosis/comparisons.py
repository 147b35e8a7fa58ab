"""Which of two representations is more predictable: paired differences over the clips that both have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from ...diagnostics.estimates.interval import paired_difference
from ...diagnostics.summary import CodesDiagnosis, LatentsDiagnosis
from .reconstruction import MIN_GROUPS, UNITS, Reconstruction


@dataclass(frozen=True, slots=True)
class Measured:
    """Per measure: its unit, and numerator and denominator of every clip; the group of every clip."""

    measures: Mapping[str, tuple[str, Mapping[str, tuple[float, float]]]]
    group: Mapping[str, str]
    errors: Mapping[str, float] = field(default_factory=dict)
    """Per measure, half-width of an error that all clips share: that of the correction for finite data."""

    @classmethod
    def of_codes(cls, codes: CodesDiagnosis, left: Reconstruction) -> Measured:
        """Code rate, and what is left of the recordings."""
        known = np.isfinite(codes.bits)
        clips = zip(codes.clip_keys, codes.bits.tolist(), codes.seconds.tolist(), known, strict=True)
        sums = {key: (bits, seconds) for key, bits, seconds, k in clips if k}
        resolved: dict[str, Any] = {"code_rate": ("bit/s", sums)} if codes.code_rate.is_resolved else {}
        for measure, values in left.values.items():
            if left.estimate(measure).is_resolved:
                resolved[measure] = UNITS[measure], {key: (value, 1.0) for key, value in values.items()}
        return cls(resolved, {**left.groups, **dict(zip(codes.clip_keys, codes.groups, strict=True))})

    @classmethod
    def of_latents(cls, latents: LatentsDiagnosis) -> Measured:
        """Lagged information at each horizon."""
        measures = {}
        for h in latents.lagged_mutual_information:
            if h.info.is_resolved:
                clips = zip(latents.clip_keys, h.nats.tolist(), h.frames.tolist(), strict=True)
                sums = {key: (nats, float(frames)) for key, nats, frames in clips if frames}
                measures[f"information at {h.tau_ms:g} ms"] = "nat", sums
        errors = {f"information at {h.tau_ms:g} ms": h.correction_error for h in latents.lagged_mutual_information}
        return cls(measures, dict(zip(latents.clip_keys, latents.groups, strict=True)), errors)


def comparisons(measured: Mapping[str, Measured]) -> list[dict[str, Any]]:
    """b minus a for every two representations with a measure in common, and whether the interval excludes 0.

    The interval is over groups, of the clips that both have. It covers which speakers were sampled and how far the
    corrections for finite data may be off, not how loose each bound is: two code rates that differ by less than what a
    better model takes off either are not told apart by it.
    """
    found = []
    for a, b in combinations(measured, 2):
        one, two = measured[a], measured[b]
        group = {**two.group, **one.group}
        for measure in one.measures.keys() & two.measures.keys():
            (unit, first), (_, second) = one.measures[measure], two.measures[measure]
            keys = sorted(first.keys() & second.keys())
            top_a, bottom_a = np.array([first[k] for k in keys]).reshape(-1, 2).T
            top_b, bottom_b = np.array([second[k] for k in keys]).reshape(-1, 2).T
            groups = [group[k] for k in keys]
            difference = paired_difference((top_b, top_a), (bottom_b, bottom_a), groups)
            if difference.num_groups < MIN_GROUPS:
                continue
            # two representations are corrected by models of their own: their errors need not cancel
            difference = difference.widened(float(np.hypot(one.errors.get(measure, 0), two.errors.get(measure, 0))))
            values = {"value": difference.value, "low": difference.low, "high": difference.high}
            decided = difference.low > 0 or difference.high < 0
            words = {"a": a, "b": b, "measure": measure, "unit": unit}
            counts = {"num_clips": len(keys), "num_groups": difference.num_groups}
            found.append({**words, **values, **counts, "decided": decided})
    return sorted(found, key=lambda c: (c["a"], c["b"], c["measure"]))
