"""Conditions on scores, as `keep`, `tiers` and early exit have them: what they mean in Python, in SQL and in words.

A score is compared as it is stored: a float32 column at float32, so that `min: 0.9` holds for the float32 nearest to
0.9, although as a double it is 0.89999998. Whole numbers are compared exactly. NaN satisfies no condition.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from .score import NOT_APPLICABLE, SKIPPED
from .sql import literal

NUMBERS = ("float32", "int32")
"""Types of score columns that have an order."""


class Strict(BaseModel):
    """Base of what a user writes: unknown keys and numbers that are not finite are refused, values are not changed
    after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Own = TypeVar("Own", bound="Condition")


class Condition(Strict):
    """A test on one score column."""

    score: str = Field(description="A score column, for example snr_db")
    min: float | None = Field(default=None, description="Holds when the score is at least this")
    max: float | None = Field(default=None, description="Holds when the score is at most this")
    equals: str | float | bool | None = Field(default=None, description="Holds when the score equals this")
    missing: Literal["auto", "keep", "drop"] = Field(
        default="auto",
        description="A null score: auto keeps it where the score does not apply to the clip (no transcript, language "
        "without a model) and drops it where the clip is too bad to measure; keep and drop do so in any case. "
        "That a clip must have a text is {score: text_empty, equals: false, missing: drop, reason: no_text}",
    )

    wrong_share: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="For transcript_trust: the share of wrong texts that the bounds are meant for. Without it the "
        "share is estimated for each source from the corpus itself; 0.5 takes the score as it stands",
    )

    @model_validator(mode="after")
    def _some_bound(self) -> Condition:
        if self.min is None and self.max is None and self.equals is None:
            raise ValueError(f"the rule on '{self.score}' tests nothing: give min, max or equals")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"the rule on '{self.score}' has min {self.min} above max {self.max}: no clip can pass")
        return self

    def unfit(self, dtype: str) -> str | None:
        """Why a score of this type (`ScoreColumn.dtype`) cannot be tested so, and what to write; None where it can."""
        if dtype == "binary":
            return "is binary and cannot be tested by a rule"
        if dtype not in NUMBERS and (self.min is not None or self.max is not None):
            return f"is a {dtype}: test it with `equals`, not with min or max"
        if self.equals is None:
            return None
        if dtype == "string" and not isinstance(self.equals, str):
            return f"is a string, and `equals` is {self.equals}: write it in quotes"
        if dtype == "bool" and self.equals not in (True, False):
            return f"is a bool, and `equals` is {self.equals!r}: write true or false"
        if dtype in NUMBERS and isinstance(self.equals, str | bool):
            return f"is a number, and `equals` is {self.equals!r}: write a number"
        return None

    def holds(self, value: Any, dtype: str, reason: str | None = None) -> bool:
        """Whether a clip satisfies the condition.

        value: its score, None for a missing one. dtype: `ScoreColumn.dtype`. reason: why it is missing, as
        `schemas.score.Row` has it.
        """
        if value is None:
            return self.missing == "keep" or (self.missing == "auto" and _excuses(reason))
        found = _stored(value, dtype)
        # written so that NaN fails every test
        return all(
            found >= bound if sign == ">=" else found <= bound if sign == "<=" else bool(found == bound)
            for sign, bound in ((sign, _stored(bound, dtype)) for sign, bound in self._bounds)
        )

    def sql(self, value: str, dtype: str, reason: str) -> str:
        """SQL that is TRUE or FALSE, never NULL, as `holds` is. value, reason: SQL of those columns."""
        if self.missing == "auto":
            missing = f"coalesce({' OR '.join(f'starts_with({reason}, {literal(p)})' for p in _EXCUSES)}, TRUE)"
        else:
            missing = "TRUE" if self.missing == "keep" else "FALSE"
        # DuckDB takes NaN for the largest number, and whole numbers are exact as doubles
        tests = [f"NOT isnan({value})"] if dtype == "float32" else []
        found = f"CAST({value} AS DOUBLE)" if dtype == "int32" else value
        tests += [f"{found} {sign} {_literal(bound, dtype)}" for sign, bound in self._bounds]
        return f"(CASE WHEN {value} IS NULL THEN {missing} ELSE {' AND '.join(tests)} END)"

    def for_share(self: Own, share: float) -> Own:
        """The condition on a score for even odds that means the same where this share of the texts is wrong.

        `min: 0.5` where one text in twenty is wrong is `min: 0.05`: by Bayes' rule the odds of a right text are those
        of the score times (1 - share) / share.
        """
        odds = share / (1 - share)

        def moved(bound: float | None) -> float | None:
            if bound is None or not 0 < bound < 1:
                return bound
            # six digits read well, and no trust is known better
            return float(f"{bound * odds / (bound * odds + 1 - bound):.6g}")

        if share == 0.5:
            return self
        return self.model_copy(update={"min": moved(self.min), "max": moved(self.max)})

    @property
    def words(self) -> str:
        """The condition as tables and reports show it: `snr_db >= 10 and snr_db <= 60`."""
        return " and ".join(f"{self.score} {sign} {_shown(bound)}" for sign, bound in self._bounds)

    @property
    def required(self) -> str:
        """What follows "required": `at least 10 and at most 60`."""
        names = {">=": "at least ", "<=": "at most ", "=": ""}
        return " and ".join(f"{names[sign]}{_shown(bound)}" for sign, bound in self._bounds)

    @property
    def limits(self) -> list[tuple[str, float]]:
        """What a chart draws."""
        return [(word, value) for word, value in (("min", self.min), ("max", self.max)) if value is not None]

    @property
    def _bounds(self) -> list[tuple[str, str | float | bool]]:
        given = ((">=", self.min), ("<=", self.max), ("=", self.equals))
        return [(sign, bound) for sign, bound in given if bound is not None]


Verdict = Literal["holds", "fails", "unsure"]
"""What a rule says of a clip; "unsure": neither is sure enough."""
UNDECIDED = "undecided"
"""Tier of clips that a rule with `unsure: tier` is unsure of."""


class Rule(Condition):
    """A condition that kept clips satisfy; a clip that does not is dropped with `reason`."""

    reason: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Word that names the drop in tables and reports")
    confidence: float | None = Field(
        default=None,
        gt=0.5,
        lt=1,
        description="How sure it must be that a clip satisfies or breaks the rule, by the score's own standard "
        "deviation (snr_db has snr_sigma_db): what is neither is undecided. Without it a score is taken at its word. "
        "transcript_trust takes none: it is a probability, so its bounds say how sure",
    )
    unsure: Literal["keep", "drop", "tier"] = Field(
        default="keep",
        description="What becomes of undecided clips: keep; drop, with the rule's reason; tier, which keeps them in "
        "the tier `undecided`",
    )

    @model_validator(mode="after")
    def _something_unsure(self) -> Rule:
        if self.confidence is None and self.unsure != "keep":
            raise ValueError(f"the rule on '{self.score}' has `unsure` without a confidence: add confidence: 0.9")
        if self.confidence is not None and self.min is None and self.max is None:
            raise ValueError(f"the rule on '{self.score}' has a confidence, which needs min or max")
        return self

    def verdict(self, value: Any, dtype: str, reason: str | None = None, sigma: float | None = None) -> Verdict:
        """Whether a clip satisfies the rule; "unsure" only where the rule has a confidence.

        sigma: the standard deviation of the score's error, None where it is not known: then the score is taken at its
        word.
        """
        if self.confidence is None or value is None or sigma is None or np.isnan(value):
            return "holds" if self.holds(value, dtype, reason) else "fails"
        found, margin = float(_stored(value, dtype)), self._z * float(np.float32(sigma))
        low, high = self._low_high(dtype)
        if found - margin >= low and found + margin <= high:
            return "holds"
        return "fails" if found + margin < low or found - margin > high else "unsure"

    def verdict_sql(self, value: str, dtype: str, reason: str, sigma: str | None) -> str:
        """SQL of `verdict`. value, reason, sigma: SQL of those columns."""
        plain = f"CASE WHEN {self.sql(value, dtype, reason)} THEN 'holds' ELSE 'fails' END"
        if self.confidence is None or sigma is None:
            return plain
        found, margin = f"CAST({value} AS DOUBLE)", f"({self._z!r}::DOUBLE * CAST({sigma} AS DOUBLE))"
        low, high = (f"CAST('{bound!r}' AS DOUBLE)" for bound in self._low_high(dtype))
        return (
            f"(CASE WHEN {value} IS NULL OR {sigma} IS NULL OR isnan({found}) THEN {plain} "
            f"WHEN {found} - {margin} >= {low} AND {found} + {margin} <= {high} THEN 'holds' "
            f"WHEN {found} + {margin} < {low} OR {found} - {margin} > {high} THEN 'fails' ELSE 'unsure' END)"
        )

    @property
    def needless_confidence(self) -> str | None:
        """Why a confidence has no place on a score that is itself a probability, and the bounds that say the same."""
        if self.confidence is None:
            return None
        sure, rest = f"{self.confidence:g}", f"{1 - self.confidence:.6g}"
        bound, good, bad, kept, spared = "min", "right", "wrong", sure, rest
        if self.min is None:
            bound, good, bad, kept, spared = "max", "wrong", "right", rest, sure
        instead = {
            "keep": f"`{bound}: {spared}`, which drops only texts that are {sure} sure to be {bad}",
            "drop": f"`{bound}: {kept}`, which keeps only texts that are {sure} sure to be {good}",
            "tier": f"`{bound}: {spared}`, and in `tiers` one with `when: [{{score: {self.score}, {bound}: {kept}}}]` "
            "before one that takes the rest, which is undecided",
        }
        return (
            f"the rule on '{self.score}' has a confidence, which this score needs none of: it is itself the "
            f"probability that the text is right. For {sure} sure and `unsure: {self.unsure}` write "
            f"{instead[self.unsure]}"
        )

    @property
    def dropping(self) -> tuple[Verdict, ...]:
        """The verdicts for which a clip is dropped."""
        return ("fails", "unsure") if self.unsure == "drop" else ("fails",)

    def drops(self, value: Any, dtype: str, reason: str | None = None, sigma: float | None = None) -> bool:
        """Whether a clip is dropped by the rule."""
        return self.verdict(value, dtype, reason, sigma) in self.dropping

    @property
    def _z(self) -> float:
        return NormalDist().inv_cdf(self.confidence or 0.5)

    def _low_high(self, dtype: str) -> tuple[float, float]:
        low = -np.inf if self.min is None else float(_stored(self.min, dtype))
        return low, np.inf if self.max is None else float(_stored(self.max, dtype))

    @property
    def text(self) -> str:
        """The rule in one line: `noisy: snr_db >= 10`. Scores that early exit left out name their rule so on disk."""
        sure = "" if self.confidence is None else f", {self.confidence:g} sure, unsure: {self.unsure}"
        share = "" if self.wrong_share is None else f", where {self.wrong_share:g} of the texts are wrong"
        return f"{self.reason}: {self.words}{sure}{share}"


class Tier(Strict):
    """A quality tier: a kept clip belongs to the first tier whose conditions all hold."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="gold, silver, bronze, ...")
    when: list[Condition] = Field(default_factory=list, description="All must hold; an empty list takes every clip")


def dtype_of(value: Any) -> str:
    """The type of the column that a score was read from."""
    if isinstance(value, bool):
        return "bool"
    return "string" if isinstance(value, str) else "int32" if isinstance(value, int) else "float32"


_EXCUSES = (NOT_APPLICABLE, SKIPPED)


def _excuses(reason: str | None) -> bool:
    return reason is None or reason.startswith(_EXCUSES)


def _stored(value: Any, dtype: str) -> Any:
    """A score or a bound as the column has it."""
    if dtype == "float32":
        with np.errstate(over="ignore"):  # beyond float32 lies infinity, in Arrow as well
            return np.float32(value)
    return float(value) if dtype == "int32" else bool(value) if dtype == "bool" else value


def _literal(bound: str | float | bool, dtype: str) -> str:
    if dtype in NUMBERS:
        # a plain 0.9 is a DECIMAL for DuckDB; text is rounded once, and the same way as here
        kind = "FLOAT" if dtype == "float32" else "DOUBLE"
        return f"CAST('{float(_stored(bound, dtype))!r}' AS {kind})"
    if dtype == "bool":
        return "TRUE" if bound else "FALSE"
    return literal(str(bound))


def _shown(bound: str | float | bool) -> str:
    """Short where that is the same number: two rules of different bounds never read alike."""
    if isinstance(bound, str | bool):
        return str(bound)
    short = f"{bound:g}"
    return short if float(short) == bound else repr(bound)
