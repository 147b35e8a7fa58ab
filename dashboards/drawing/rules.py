"""The rules of a version's configuration, as pages say, draw and apply them to one clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from ...schemas.condition import Condition, Rule, Tier, dtype_of
from ...schemas.counted import counted
from ...schemas.requirement import reason_word
from ...schemas.version import VersionDocument
from .text import number

C = TypeVar("C", bound=Condition)


def rules_of(config: Mapping[str, Any]) -> list[Rule]:
    """The rules of a resolved configuration. What a newer auricle may have added to a rule is left out, as is an entry
    that is no rule."""
    found = []
    for recorded in config.get("keep") or ():
        try:
            known = {name: recorded[name] for name in Rule.model_fields if name in recorded}
            found.append(Rule.model_validate(known))
        except (ValidationError, AttributeError, TypeError):
            continue
    return found


def tiers_of(config: Mapping[str, Any]) -> list[Tier]:
    """The tiers of a resolved configuration, as `rules_of` reads its rules."""
    found = []
    for recorded in config.get("tiers") or ():
        try:
            when = [{name: c[name] for name in Condition.model_fields if name in c} for c in recorded.get("when") or ()]
            found.append(Tier(name=recorded["name"], when=[Condition.model_validate(c) for c in when]))
        except (ValidationError, AttributeError, TypeError, KeyError):
            continue
    return found


def meant_in(rule: C, document: VersionDocument, source: str | None) -> C:
    """The rule, or condition of a tier, as it was meant for a source, where its bounds depend on the share of wrong
    texts there."""
    if rule.wrong_share is not None:
        return rule.for_share(rule.wrong_share)
    found = document.wrong_texts.get(rule.score, {}).get(source or "")
    return rule.for_share(found.used) if found else rule


def limits_meant(rule: Condition, document: VersionDocument) -> list[tuple[str, float]]:
    """What a chart of all sources draws of a rule: each bound as it was meant, at its lowest and at its highest."""
    limits = dict.fromkeys(limit for meant in _meant(rule, document) for limit in meant.limits)
    found: list[tuple[str, float]] = []
    for word in ("min", "max"):
        values = [value for name, value in limits if name == word]
        found += [(word, value) for value in sorted({min(values), max(values)})] if values else []
    return found


def moved_words(rule: Condition, document: VersionDocument) -> str:
    """Where a share of wrong texts moved the bounds of a rule: from what to what; empty where none was moved."""
    meant = _meant(rule, document)
    if all(one.limits == rule.limits for one in meant):
        return ""
    said = []
    for at, (word, bound) in enumerate(rule.limits):
        values = [one.limits[at][1] for one in meant]
        low, high = number(min(values)), number(max(values))
        said.append(f"{word} {number(bound)} moved to {low if low == high else f'{low} to {high}'}")
    where = "the share of wrong texts that the rule gives" if rule.wrong_share else "each source's share of wrong texts"
    return f"{' and '.join(said)}, by {where}"


def tier_moves(document: VersionDocument, score: str) -> list[str]:
    """For each tier whose condition on a score was moved: `tier gold: min 0.9 moved to 0.32, by ...`."""
    return [
        f"tier {tier.name}: {said}"
        for tier in tiers_of(document.config)
        for condition in tier.when
        if condition.score == score and (said := moved_words(condition, document))
    ]


def tier_rows(document: VersionDocument) -> list[dict[str, Any]]:
    """Tiers as they are configured, then those that a rule gives: `name`, `clips`, and `when`, the words of each
    condition with what moved its bounds."""
    tiers = {tier.name: tier.when for tier in tiers_of(document.config)}
    return [
        {
            "name": name,
            "clips": document.kept_by_tier.get(name, 0),
            "when": [(condition.words, moved_words(condition, document)) for condition in tiers.get(name, ())],
        }
        for name in dict.fromkeys([*tiers, *document.kept_by_tier])
    ]


def bounds_in(document: VersionDocument, score: str, source: str) -> list[str]:
    """The bounds on a score as they were meant for a source: of rules, then of tiers (`gold: snr_db >= 20`)."""
    found = [
        bounds_words(meant_in(rule, document, source)) for rule in rules_of(document.config) if rule.score == score
    ]
    return found + [
        f"{tier.name}: {bounds_words(meant_in(condition, document, source))}"
        for tier in tiers_of(document.config)
        for condition in tier.when
        if condition.score == score
    ]


def bounds_words(rule: Condition) -> str:
    """The bounds of a rule in as many digits as charts have: `transcript_trust >= 0.1192`."""
    signs = {"min": ">=", "max": "<="}
    return " and ".join(f"{rule.score} {signs[word]} {number(bound)}" for word, bound in rule.limits)


def _meant(rule: C, document: VersionDocument) -> list[C]:
    """The rule in each source whose share of wrong texts is known; as it stands where there is none."""
    sources = document.wrong_texts.get(rule.score) or {"": None}
    return [meant_in(rule, document, source) for source in sources]


def breaks(rule: Rule, value: Any, reason: str | None = None, sigma: float | None = None) -> bool:
    """Whether a score of the clip table is outside the rule. reason: why it is missing, where it is; sigma: how far it
    may be off, where that is known."""
    return rule.drops(value, dtype_of(value), reason, sigma)


def describe_reason(config: Mapping[str, Any], reason: str) -> str:
    """What kept clips satisfy, in words: the rules, group rules, quotas and requirements that give `reason`."""
    if reason == "duplicate":
        return "the one kept of each set of copies"
    said = [rule.words for rule in rules_of(config) if rule.reason == reason]
    for source in config.get("sources") or ():
        for name, wanted in (source.get("require") or {}).items():
            if reason_word(name) == reason:
                said.append(f"{name} is {' or '.join(wanted)} (source {source.get('name', '')})")
    for rule in config.get("drop_groups") or ():
        if rule.get("reason") == reason:
            reasons = " or ".join(rule.get("counting") or ()) or "any reason"
            said.append(f"at most {number(100 * rule['max_share'])} % of the {rule['by']}'s clips bad ({reasons})")
    for quota in config.get("quotas") or ():
        if quota.get("reason") == reason:
            bounds = [f"{number(quota['max_hours'])} h"] if quota.get("max_hours") is not None else []
            bounds += [counted(quota["max_clips"], "clip")] if quota.get("max_clips") is not None else []
            said.append(f"within {' and '.join(bounds)} per {quota['by']}")
    return "; ".join(said)
