"""One clip beside the rules, in words: what a run would decide of it, duplicates and other clips apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ...schemas.condition import UNDECIDED, Condition, Rule, Tier, Verdict
from ...schemas.errors import ConfigError
from ...schemas.score import Curator, missing_words, sigma_name, with_sigma
from ...schemas.tables import Status

UNITLESS = ("1", "text")
C = TypeVar("C", bound=Condition)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say of a clip."""

    status: Status
    reasons: tuple[str, ...]
    """Words of the rules that it breaks, each once, in the order of the rules."""
    why: tuple[str, ...]
    """One line per broken rule: "noisy: snr_db 4.2 dB, required at least 10"."""
    tier: str | None
    undecided: tuple[str, ...] = ()
    """One line per rule that is unsure of a clip which is kept."""


class Judge:
    """Rules and tiers over the scores of some curators, as `decide` applies them to a corpus.

    Raises `ConfigError` for one whose score is of a type that it cannot test, or is a probability and has a confidence.
    """

    def __init__(self, rules: Sequence[Rule], tiers: Sequence[Tier], curators: Sequence[Curator]) -> None:
        self._columns = {column.name: (curator.name, column) for curator in curators for column in curator.columns}
        self._rules = [_meant(rule) for rule in rules if rule.score in self._columns]
        self._tiers = [
            tier.model_copy(update={"when": [_meant(c) for c in tier.when]})
            for tier in tiers
            if all(c.score in self._columns for c in tier.when)
        ]
        self.at_even_odds = sorted(
            {
                c.score
                for c in (*self._rules, *(c for tier in self._tiers for c in tier.when))
                if self._columns[c.score][1].even_odds and c.wrong_share is None
            }
        )
        """Scores whose bounds are taken as if half of the texts were wrong: there is no corpus to estimate it from."""
        self.unjudged = tuple(dict.fromkeys(rule.score for rule in rules if rule.score not in self._columns))
        """Scores of rules that no curator here gives: those rules are left out."""
        for condition in (*self._rules, *(condition for tier in self._tiers for condition in tier.when)):
            if why := condition.unfit(self._columns[condition.score][1].dtype):
                raise ConfigError(f"the score {condition.score!r} {why}")
        for rule in self._rules:
            if self._columns[rule.score][1].even_odds and (why := rule.needless_confidence):
                raise ConfigError(why)

    def __call__(self, row: Mapping[str, Any]) -> Judgement:
        """row: every score by its name, and `<curator>_reason` where scores are null."""
        broken = [(rule.reason, f"{rule.reason}: {why}") for rule in self._rules if (why := self.breaks(rule, row))]
        reasons = tuple(dict.fromkeys(reason for reason, _ in broken))
        if broken:
            return Judgement(Status.DROPPED, reasons, tuple(line for _, line in broken), None)
        unsure = [rule for rule in self._rules if self.verdict(rule, row) == "unsure"]
        lines = tuple(f"undecided: {self._found(rule, row, 'unsure')}" for rule in unsure)
        if any(rule.unsure == "tier" for rule in unsure):
            return Judgement(Status.KEPT, (), (), UNDECIDED, lines)
        tier = next((t.name for t in self._tiers if not any(self.breaks(c, row) for c in t.when)), None)
        return Judgement(Status.KEPT, (), (), tier, lines)

    def verdict(self, rule: Rule, row: Mapping[str, Any]) -> Verdict:
        """What the rule says of the clip."""
        curator, column = self._columns[rule.score]
        reason = row.get(f"{curator}_reason")
        return rule.verdict(row[rule.score], column.dtype, reason, row.get(sigma_name(rule.score)))

    def breaks(self, condition: Condition, row: Mapping[str, Any]) -> str | None:
        """What was found and what is required, None where the condition holds."""
        curator, column = self._columns[condition.score]
        if isinstance(condition, Rule):
            verdict = self.verdict(condition, row)
            if verdict not in condition.dropping:
                return None
        elif condition.holds(row[condition.score], column.dtype, row.get(f"{curator}_reason")):
            return None
        else:
            verdict = "fails"
        return self._found(condition, row, verdict)

    def _found(self, condition: Condition, row: Mapping[str, Any], verdict: Verdict) -> str:
        curator, column = self._columns[condition.score]
        value, reason = row[condition.score], row.get(f"{curator}_reason")
        if value is None:
            return f"{missing_words(condition.score, reason)}, required {condition.required}"
        unit = "" if column.unit in UNITLESS else f" {column.unit}"
        shown = f"{value:.3g}" if isinstance(value, float) and abs(value) < 1000 else f"{value}"
        if isinstance(value, float) and verdict == "fails" and condition.holds(float(shown), column.dtype):
            shown = str(np.float32(value))  # rounded, it would look as if it held
        if isinstance(condition, Rule) and condition.confidence is not None:
            if (sigma := row.get(sigma_name(condition.score))) is not None:
                shown = with_sigma(value, sigma)
            return f"{condition.score} {shown}{unit}, required {condition.required}, {condition.confidence:g} sure"
        return f"{condition.score} {shown}{unit}, required {condition.required}"


def _meant(condition: C) -> C:
    return condition.for_share(condition.wrong_share or 0.5)
