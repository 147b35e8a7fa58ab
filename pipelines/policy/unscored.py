"""What rules keep without a score, counted over the live clips after `decide`."""

from __future__ import annotations

from ...schemas.config import RunConfig
from ...schemas.unscored import Unscored
from ..tables.state import State
from .conditions_sql import Scored


def unscored(state: State, config: RunConfig, scored: Scored, apart: str = "") -> list[Unscored]:
    """One record for each rule that lets clips through because they have no such score; scored: what `decide` returned.

    apart: a table whose `key` names clips that are not to be counted: those that are yet to be scored.
    """
    later = f"AND clip NOT IN (SELECT key FROM {apart})" if apart else ""
    found = []
    for rule in config.keep:
        clips = int(
            state.one(
                f"""SELECT count(*) FROM decided JOIN scores USING (clip)
                WHERE status = 'kept' AND {scored.value_sql(rule)} IS NULL {later}"""
            )
        )
        if clips:
            found.append(Unscored.of(rule, clips, "transcript" in scored.owner[rule.score].inputs))
    return found
