"""What the rules leave undecided, counted over the live clips after `decide`."""

from __future__ import annotations

from collections.abc import Sequence

from ...schemas.config import RunConfig
from ...schemas.score import Curator, sigma_name
from ...schemas.sql import quoted
from ...schemas.undecided import Undecided, undecided_row, undecided_sql
from ..tables.state import State
from .decide import owners, verdict_sql


def undecided(state: State, config: RunConfig, curators: Sequence[Curator]) -> list[Undecided]:
    """One record for each rule with a confidence; call after `decide`."""
    owner, found = owners(curators), []
    for rule in config.keep:
        if rule.confidence is None:
            continue
        struct = quoted(owner[rule.score].name)
        others = [
            f"{verdict_sql(other, owner)} IN ({', '.join(map(repr, other.dropping))})"
            for other in config.keep
            if other is not rule and other.reason == rule.reason
        ]
        value, sigma = (f"{struct}.{quoted(name)}" for name in (rule.score, sigma_name(rule.score)))
        table = "decided JOIN scores USING (clip)"
        row = state.db.execute(undecided_sql(rule, verdict_sql(rule, owner), value, sigma, others, table)).fetchall()[0]
        found.append(undecided_row(rule, row))
    return found
