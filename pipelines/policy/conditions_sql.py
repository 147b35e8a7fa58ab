"""Conditions as SQL over the view `scores`: whose column a score is, and what its bounds mean in each source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ...schemas.condition import Condition, Rule
from ...schemas.score import NOT_APPLICABLE, UNMEASURABLE, Curator, ScoreColumn, sigma_name
from ...schemas.sql import literal, quoted
from ...schemas.version import WrongTexts

C = TypeVar("C", bound=Condition)


class Scored:
    """The scores that there are, and the share of wrong texts of each source by the score it was estimated from."""

    def __init__(
        self, curators: Sequence[Curator], wrong_texts: Mapping[str, Mapping[str, WrongTexts]] | None = None
    ) -> None:
        self.owner = {column.name: curator for curator in curators for column in curator.columns}
        """Score name -> the curator that gives it."""
        self.wrong_texts = wrong_texts or {}

    def column(self, condition: Condition) -> ScoreColumn:
        """The column that the condition tests."""
        return next(c for c in self.owner[condition.score].columns if c.name == condition.score)

    def holds_sql(self, condition: Condition) -> str:
        """SQL that is TRUE or FALSE (never NULL): the clip satisfies the condition."""
        struct, dtype = self._struct(condition), self.column(condition).dtype

        def sql(c: Condition) -> str:
            return c.sql(f"{struct}.{quoted(c.score)}", dtype, f"{struct}.reason")

        return self._in_each_source(condition, sql)

    def verdict_sql(self, rule: Rule) -> str:
        """SQL of what the rule says of a clip: holds, fails or unsure."""
        struct, dtype = self._struct(rule), self.column(rule).dtype
        sigma = self.sigma_sql(rule)

        def sql(r: Rule) -> str:
            return r.verdict_sql(f"{struct}.{quoted(r.score)}", dtype, f"{struct}.reason", sigma)

        return self._in_each_source(rule, sql)

    def unmeasured_sql(self, rule: Rule) -> str:
        """SQL of words for a clip that the rule drops since it has no such score (`missing_words`); else NULL."""
        name, why = rule.score, f"{self._struct(rule)}.reason"
        details = f"nullif(substr({why}, {len(UNMEASURABLE) + 3}), '')"
        measured = f"concat({literal(f'{name} could not be measured')}, ' (' || {details} || ')')"
        missing = f"concat({literal(f'{name} is missing (')}, coalesce({why}, {literal(NOT_APPLICABLE)}), ')')"
        return (
            f"CASE WHEN {self.value_sql(rule)} IS NULL AND {self.verdict_sql(rule)} = 'fails' THEN "
            f"{literal(f'{rule.reason}: ')} || CASE WHEN starts_with({why}, {literal(UNMEASURABLE)}) THEN {measured} "
            f"ELSE {missing} END END"
        )

    def sigma_sql(self, condition: Condition) -> str | None:
        """SQL of the standard deviation of the score's error, None where its curator gives none."""
        sigma = sigma_name(condition.score)
        same = self.owner.get(sigma) is self.owner[condition.score]
        return f"{self._struct(condition)}.{quoted(sigma)}" if same else None

    def value_sql(self, condition: Condition) -> str:
        """SQL of the score."""
        return f"{self._struct(condition)}.{quoted(condition.score)}"

    def _struct(self, condition: Condition) -> str:
        return quoted(self.owner[condition.score].name)

    def _in_each_source(self, condition: C, sql: Callable[[C], str]) -> str:
        if condition.wrong_share is not None:
            return sql(condition.for_share(condition.wrong_share))
        # shares come in steps: however many sources there are, they have few
        alike: dict[float, list[str]] = {}
        for source, found in self.wrong_texts.get(condition.score, {}).items():
            alike.setdefault(found.used, []).append(literal(source))
        cases = [
            f"WHEN source IN ({', '.join(sources)}) THEN {sql(condition.for_share(share))}"
            for share, sources in alike.items()
        ]
        return f"(CASE {' '.join(cases)} ELSE {sql(condition)} END)" if cases else sql(condition)
