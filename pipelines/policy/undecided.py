"""What the rules leave undecided, counted over the live clips after `decide`."""

from __future__ import annotations

from ...schemas.config import RunConfig
from ...schemas.undecided import Undecided, undecided_row, undecided_sql
from ..tables.state import State
from .conditions_sql import Scored


def undecided(state: State, config: RunConfig, scored: Scored) -> list[Undecided]:
    """One record for each rule with a confidence; scored: what `decide` returned."""
    found = []
    for rule in config.keep:
        sigma = scored.sigma_sql(rule)
        if rule.confidence is None or sigma is None:
            continue
        others = [
            f"{scored.verdict_sql(other)} IN ({', '.join(map(repr, other.dropping))})"
            for other in config.keep
            if other is not rule and other.reason == rule.reason
        ]
        table = "decided JOIN scores USING (clip)"
        sql = undecided_sql(rule, scored.verdict_sql(rule), scored.value_sql(rule), sigma, others, table)
        found.append(undecided_row(rule, state.db.execute(sql).fetchall()[0]))
    return found
