"""The rules of a version's configuration, as pages say, draw and apply them to one clip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .text import number


@dataclass(frozen=True)
class Rule:
    """A rule of the configuration, as the page says it."""

    score: str
    reason: str
    low: float | None = None
    high: float | None = None
    equals: Any = None

    @property
    def said(self) -> str:
        """`snr_db ≥ 10`."""
        parts = [f"{self.score} ≥ {number(self.low)}"] if self.low is not None else []
        parts += [f"{self.score} ≤ {number(self.high)}"] if self.high is not None else []
        parts += [f"{self.score} = {number(self.equals)}"] if self.equals is not None else []
        return " and ".join(parts)

    @property
    def limits(self) -> list[tuple[str, float]]:
        """What a chart draws."""
        return [(word, value) for word, value in (("min", self.low), ("max", self.high)) if value is not None]

    def breaks(self, value: Any) -> bool:
        """Whether a score is outside the rule; a missing one is not shown as breaking it."""
        if isinstance(value, bool | int | float) and not isinstance(self.equals, str):
            low = self.low is not None and value < self.low
            return low or (self.high is not None and value > self.high) or self.equals not in (None, value)
        return self.equals is not None and value is not None and value != self.equals


def rules_of(config: Mapping[str, Any]) -> list[Rule]:
    """The rules of a resolved configuration."""
    return [
        Rule(str(r.get("score")), str(r.get("reason")), r.get("min"), r.get("max"), r.get("equals"))
        for r in config.get("keep") or ()
        if isinstance(r, Mapping)
    ]


def said_of(config: Mapping[str, Any], reason: str) -> str:
    """What kept clips satisfy, in words: the rules, group rules and quotas that give `reason`."""
    if reason == "duplicate":
        return "the one kept of each set of copies"
    said = [rule.said for rule in rules_of(config) if rule.reason == reason]
    for rule in config.get("drop_groups") or ():
        if rule.get("reason") == reason:
            counted = " or ".join(rule.get("counting") or ()) or "any reason"
            said.append(f"at most {number(100 * rule['max_share'])} % of the {rule['by']}'s clips bad ({counted})")
    for quota in config.get("quotas") or ():
        if quota.get("reason") == reason:
            bounds = [f"{number(quota['max_hours'])} h"] if quota.get("max_hours") is not None else []
            bounds += [f"{number(quota['max_clips'])} clips"] if quota.get("max_clips") is not None else []
            said.append(f"within {' and '.join(bounds)} per {quota['by']}")
    return "; ".join(said)
