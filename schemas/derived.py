"""What is derived from a version and kept beside it as JSON: rebuildable, made again by the command that made it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from .undecided import Undecided
from .version import Record

DIAGNOSTICS_SCHEMA = "auricle.diagnostics/2"
DIAGNOSTICS_SCHEMA_1 = "auricle.diagnostics/1"
"""Its gains were not corrected for finite data, and some measures had other names: `renamed` reads them."""
PROFILE_SCHEMA = "auricle.profile/1"
COMPARISON_SCHEMA = "auricle.shadow/1"


class Diagnostics(Record):
    """`derived/<version>/diagnostics.json`: how predictable each representation is."""

    schema_version: str = Field(alias="schema")
    version: int
    seed: int
    representations: dict[str, dict[str, Any]] = Field(
        description="By name: measures of a diagnosis with their units in their names, and `trained`"
    )
    comparisons: list[dict[str, Any]] = Field(
        default=[],
        description="Paired differences of two representations: `a`, `b`, `measure`, `unit`, `value`, `low`, `high`, "
        "`num_clips`, `num_groups`, `decided`",
    )


class Profile(Record):
    """`derived/<version>/profile.json`: the clip table in numbers. Each tally maps a value to `clips` and `hours`."""

    schema_version: str = Field(alias="schema")
    clips: int
    hours: float
    status: dict[str, dict[str, float]]
    reasons: dict[str, dict[str, float]] = Field(description="Also `only`: clips that no other reason drops")
    co_occurrence: dict[str, Any] = Field(description="Dropped clips by pairs of reasons")
    undecided: list[Undecided] = Field(default=[], description="Of each rule with a confidence")
    failures: dict[str, dict[str, float]]
    tiers: dict[str, dict[str, float]]
    languages: dict[str, dict[str, float]]
    sample_rates: dict[str, dict[str, float]]
    introduced: dict[str, dict[str, float]] = Field(description="By the version that brought them")
    carried: dict[str, dict[str, dict[str, float]]] = Field(
        default={}, description="By carried column and value: clips by status, hours of those kept; the most frequent"
    )
    scores: dict[str, dict[str, Any]] = Field(description="By column: unit, counts, quantiles, histogram")


class Comparison(Record):
    """`derived/<version>/shadow-<slot>-<fingerprint>.json`: a model on trial beside the one in use."""

    schema_version: str = Field(alias="schema")
    version: int
    kind: str
    slot: str
    name: str
    options: dict[str, Any]
    fingerprint: str
    clips: int
    failed: int
    available: int | None = Field(default=None, description="Clips of the version that a sample can be taken from")
    current: str | None = Field(default=None, description="The curator of the version that stands in the slot")
    uncompared: str | None = Field(default=None, description="Why there is nothing to compare with")
    cpu_s: float | None = Field(default=None, description="CPU seconds of the candidate on the sample, models loaded")
    current_cpu_s: float | None = Field(default=None, description="The same of the current curator, where it runs here")
    current_not_run: str | None = Field(default=None, description="Why it does not")
    audio_s: float | None = Field(default=None, description="Seconds of audio in the sample")
    slices: list[dict[str, Any]] = Field(description="Per slice of the sample and score: counts, medians, changes")
    flips: dict[str, dict[str, int]] | None = Field(
        description="By reason: clips that are dropped before, after, and flipped; null where nothing was compared"
    )


_RENAMED = {
    "capacity_note": "finite_sample_bias",
    "pred_info": "lagged_mutual_information",
    "rate_by_reach": "context_gain",
    "unseen_mass": "missing_mass",
    "missing_bits": "extrapolated_gain_bits",
    "missing_context": "extrapolated_gain_context",
    "missing_coverage": "extrapolated_gain_coverage",
    "promised_bits": "extrapolated_gain_bits",
    "promised_context": "extrapolated_gain_context",
    "promised_coverage": "extrapolated_gain_coverage",
    "capacity": "finite_sample_bias",
}


def renamed(measures: Any) -> Any:
    """Measures of a representation under their present names, whichever name they were written with."""
    if isinstance(measures, dict):
        return {_RENAMED.get(name, name): renamed(value) for name, value in measures.items()}
    return [renamed(value) for value in measures] if isinstance(measures, list) else measures
