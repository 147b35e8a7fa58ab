"""Policy over groups of clips: sources, speakers and languages that are bad as a whole, and quotas.

Both are functions of the live set alone: which clips there are, their scores and labels, the configuration.
"""

from __future__ import annotations

from ...schemas.config import GroupRule, Quota, RunConfig
from ...schemas.errors import ConfigError
from ...schemas.sql import listed, literal
from ..tables.state import State
from .speakers import speaker_groups

FAILED = "failed"
"""What `GroupRule.counting` calls a clip that could not be scored at all."""
Z2 = 1.959964**2
"""Square of the normal quantile of a two-sided 95 % interval."""
MEMBER = {"source": "n.source", "language": "coalesce(n.language, 'unknown')", "speaker": "g.speaker"}


def check_groups(config: RunConfig) -> None:
    """Raise `ConfigError` for a group rule that counts a reason that no rule of `keep` gives."""
    known = sorted({rule.reason for rule in config.keep} | {FAILED})
    for rule in config.drop_groups:
        for reason in rule.counting:
            if reason not in known:
                raise ConfigError(f"drop_groups counts {reason!r}, which no rule gives. Reasons: {', '.join(known)}")


def wilson_low(bad: str, clips: str) -> str:
    """SQL of the lower 95 % bound (Wilson 1927) of a share, from SQL of its counts; clips > 0."""
    p = f"({bad})::double / ({clips})"
    centre = f"{p} + {Z2 / 2} / ({clips})"
    spread = f"sqrt({Z2} * ({p} * (1 - {p}) + {Z2 / 4} / ({clips})) / ({clips}))"
    return f"(({centre} - {spread}) / (1 + {Z2} / ({clips})))"


def drop_bad_groups(state: State, config: RunConfig) -> None:
    """Add a group rule's reason to `judged.broken` of every clip of a group that it condemns.

    Every rule sees what `keep` found, not what another group rule added, so that their order changes nothing.
    """
    if not config.drop_groups and not config.quotas:
        return
    speaker_groups(state)
    found = [_condemned(state, i, rule) for i, rule in enumerate(config.drop_groups)]
    for rule, table in zip(config.drop_groups, found, strict=True):
        state.sql(
            f"""UPDATE judged SET broken = list_append(broken, {literal(rule.reason)})
            WHERE clip IN (SELECT n.clip FROM clips_now n JOIN speaker_groups g USING (clip)
                JOIN {table} t ON t.member = {MEMBER[rule.by]})"""
        )


def _condemned(state: State, number: int, rule: GroupRule) -> str:
    table = f"condemned_{number}"
    reasons = listed(r for r in rule.counting if r != FAILED)
    broken = f"list_has_any(broken, {reasons})" if rule.counting else "len(broken) > 0"
    failed = "failure IS NOT NULL" if not rule.counting or FAILED in rule.counting else "FALSE"
    bad = f"count(*) FILTER (WHERE {failed} OR (failure IS NULL AND {broken}))"
    state.sql(
        f"""CREATE OR REPLACE TABLE {table} AS
        SELECT {MEMBER[rule.by]} AS member FROM clips_now n
        JOIN judged USING (clip) JOIN speaker_groups g USING (clip)
        GROUP BY member HAVING {wilson_low(bad, "count(*)")} > {rule.max_share}"""
    )
    return table


def fill_quotas(state: State, config: RunConfig) -> None:
    """Drop from `decided` the clips that every other rule would keep and a quota has no room for.

    Each quota counts what those before it left over. The channels of a conversation take room together and stay or go
    together, also where each has its own speaker: then the room that one gives up for the other stays empty.
    """
    state.sql("CREATE OR REPLACE TABLE over_quota (clip VARCHAR, reason VARCHAR)")
    if not config.quotas:
        return
    tiers = " ".join(f"WHEN {literal(tier.name)} THEN {i}" for i, tier in enumerate(config.tiers))
    rank = f"CASE tier {tiers} ELSE {len(config.tiers)} END" if tiers else "0"
    kept = """decided d JOIN clips_now n USING (clip)
        WHERE d.status = 'kept' AND d.clip NOT IN (SELECT clip FROM over_quota)"""
    for quota in config.quotas:
        state.sliced(
            "filling",
            f"""SELECT {MEMBER[quota.by]} AS member, n."group", min({rank}) AS tier_rank,
                min(source_rank) AS source_rank, min(clip) AS clip, count(*) AS clips,
                sum(CAST(round(duration_s * 1e6) AS BIGINT)) AS microseconds
            FROM (SELECT d.tier, n.* FROM {kept}) n JOIN speaker_groups g USING (clip) WHERE in_slice(n."group")
            GROUP BY ALL""",
            int(state.one("SELECT count(*) FROM decided WHERE status = 'kept'")),
        )
        state.sql(
            f"""CREATE OR REPLACE TABLE filled AS
            SELECT "group", sum(clips) OVER so_far AS place, sum(microseconds) OVER so_far AS filled FROM filling
            WINDOW so_far AS (PARTITION BY member, {_too_large(quota)}
                ORDER BY tier_rank, source_rank, clip ROWS UNBOUNDED PRECEDING)"""
        )
        over = f'n."group" IN (SELECT "group" FROM filled WHERE {_full(quota)})'
        state.sql(f"INSERT INTO over_quota SELECT clip, {literal(quota.reason)} FROM {kept} AND {over}")
    state.sql(
        """UPDATE decided SET status = 'dropped', reasons = [o.reason], tier = NULL
        FROM over_quota o WHERE decided.clip = o.clip"""
    )


def _full(quota: Quota) -> str:
    clips = f"place > {quota.max_clips}" if quota.max_clips is not None else "FALSE"
    return f"{clips} OR filled > {_most(quota)}"


def _too_large(quota: Quota) -> str:
    """What never fits, and stands in no other's way: a clip, or the channels of a conversation."""
    clips = f" OR clips > {quota.max_clips}" if quota.max_clips is not None else ""
    return f"microseconds > {_most(quota)}{clips}"


def _most(quota: Quota) -> int:
    """Microseconds that a group may fill."""
    return (1 << 62) if quota.max_hours is None else round(quota.max_hours * 3.6e9)
