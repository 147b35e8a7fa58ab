"""What a curator is: columns with units, a fingerprint, and `score(batch)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import pyarrow as pa

from .clip import Clip

Dtype = Literal["float32", "int32", "bool", "string", "binary"]
ARROW: dict[str, pa.DataType] = {
    "float32": pa.float32(),
    "int32": pa.int32(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "binary": pa.binary(),
}

NOT_APPLICABLE = "not_applicable"
"""Prefix of a null's reason when the score has no meaning for the clip (no transcript, unsupported language)."""
UNMEASURABLE = "unmeasurable"
"""Prefix of a null's reason when the clip is too bad to measure (no speech, too short)."""
SKIPPED = "skipped"
"""Prefix of a null's reason when early exit left the score out; followed by the rule that dropped the clip."""


@dataclass(frozen=True, slots=True)
class ScoreColumn:
    """One column of a curator's result."""

    name: str
    """Unique over all curators; carries its unit as suffix: `snr_db`, `speech_s`."""
    dtype: Dtype
    unit: str
    """"dB", "s", "Hz", "1" for ratios and probabilities, "MOS", "text"."""
    description: str
    """One line: what the number is, and for a computed one, from what."""
    even_odds: bool = False
    """Whether it is the calibrated probability that a clip's text is right, where as many are wrong as right. Bounds on
    such a score mean the share of wrong texts of the clip's source (`Condition.for_share`)."""


SIGMA_UNITS = ("db", "dbfs", "s", "ms", "hz")
"""Suffixes that stay last in the name of a standard deviation."""


def sigma_name(score: str) -> str:
    """Column that holds the standard deviation of a score's error, where its curator gives one: `snr_sigma_db`."""
    base, _, unit = score.rpartition("_")
    return f"{base}_sigma_{unit}" if base and unit in SIGMA_UNITS else f"{score}_sigma"


def with_sigma(value: float, sigma: float) -> str:
    """A score with the standard deviation of its error, as people write it: `17.2 ± 3`, `0.712 ± 0.06`.

    The deviation has one significant digit, since it is no better known; the score has one decimal more than it.
    """
    exponent = int(f"{sigma:.0e}".partition("e")[2]) if sigma > 0 else 0
    decimals = max(0, -exponent)
    return f"{value:.{decimals + 1}f} ± {sigma:.{decimals}f}"


def missing_words(score: str, reason: str | None) -> str:
    """Why a score is null, for people: `snr_db could not be measured (no speech)`."""
    kind, _, details = (reason or NOT_APPLICABLE).partition(": ")
    if kind == UNMEASURABLE:
        return f"{score} could not be measured{f' ({details})' if details else ''}"
    return f"{score} is missing ({reason or NOT_APPLICABLE})"


Row = dict[str, Any]
"""One clip's scores: every column's name -> value or None, and "reason": None or why something is null,
one of "not_applicable: ...", "unmeasurable: ...", "failed: ..."."""


@runtime_checkable
class Curator(Protocol):
    """Measures clips. A plain object that works in a REPL; never raises on a bad clip."""

    name: str
    """Names the struct column of the clip table: `snr`."""
    version: int
    """Raised with every change of the code that can change a score."""
    columns: tuple[ScoreColumn, ...]
    inputs: tuple[str, ...]
    """Non-audio fields of `Clip` that the scores depend on, of "transcript", "language", "speaker"."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Resolved parameters, JSON-able."""
        ...

    @property
    def fingerprint(self) -> str:
        """32 hex digits over name, version, parameters and weights; computed without loading a model."""
        ...

    def score(self, batch: Sequence[Clip]) -> list[Row]:
        """One row per clip, in order."""
        ...


PROVENANCE = ("fingerprint", "inputs", "reason")
"""Fields that every curator's struct column begins with: they say where its scores come from."""


def score_struct(columns: Sequence[ScoreColumn]) -> pa.StructType:
    """Arrow type of a curator's column in the clip table: provenance first, then the scores."""
    return pa.struct(
        [*(pa.field(name, pa.string()) for name in PROVENANCE), *(pa.field(c.name, ARROW[c.dtype]) for c in columns)]
    )
