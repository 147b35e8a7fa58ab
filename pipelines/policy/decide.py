"""Decide: which clips stay, why the others do not. A pure function of the live clips and their scores, no model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ...schemas.condition import UNDECIDED
from ...schemas.config import RunConfig
from ...schemas.errors import ConfigError
from ...schemas.near import did_you_mean
from ...schemas.score import Curator, sigma_name
from ...schemas.sql import literal, quoted
from ..tables.declarations import known
from ..tables.requirements import demanding
from ..tables.state import State
from .conditions_sql import Scored
from .group_rules import check_groups, drop_bad_groups, fill_quotas
from .wrong_texts import wrong_texts

DUPLICATE = "duplicate"
MIN_NEAR_S = 2.0
"""Below this many seconds only equal samples count as the same audio: too little evidence for a fingerprint."""


def check_rules(config: RunConfig, curators: Sequence[Curator]) -> None:
    """Raise `ConfigError` for a rule or tier on a score that no configured curator gives, a tier that no clip can
    reach, or a group rule that counts a reason that no rule gives."""
    check_groups(config)
    _check_tiers(config)
    scored = Scored(curators)
    owner = scored.owner
    conditions = [*config.keep, *(condition for tier in config.tiers for condition in tier.when)]
    for condition in conditions:
        if condition.score not in owner:
            raise ConfigError(
                f"a rule tests the score {condition.score!r}, which no configured curator gives"
                f"{did_you_mean(condition.score, owner)} Scores: {', '.join(sorted(owner))}"
            )
        if why := condition.unfit(scored.column(condition).dtype):
            raise ConfigError(f"the score {condition.score!r} {why}")
        if condition.wrong_share is not None and not scored.column(condition).even_odds:
            raise ConfigError(f"a rule on {condition.score!r} has `wrong_share`, which only a trust in texts can have")
    for rule in config.keep:
        if scored.column(rule).even_odds and (why := rule.needless_confidence):
            raise ConfigError(why)
        if rule.confidence is not None and sigma_name(rule.score) not in owner:
            able = sorted(name for name in owner if sigma_name(name) in owner)
            raise ConfigError(
                f"the rule on {rule.score!r} has a confidence, but no curator says how far that score may be off. "
                f"Scores that can be judged so: {', '.join(able) or 'none'}"
            )


def _check_tiers(config: RunConfig) -> None:
    names = [tier.name for tier in config.tiers]
    for i, tier in enumerate(config.tiers):
        if tier.name in names[:i]:
            raise ConfigError(f"tiers: two are called {tier.name!r}; clips of both could not be told apart")
        if tier.name == UNDECIDED and any(rule.unsure == "tier" for rule in config.keep):
            raise ConfigError(f"tiers: {UNDECIDED!r} is the tier that `unsure: tier` gives: call yours otherwise")
        if not tier.when and i + 1 < len(names):
            raise ConfigError(
                f"tiers: no clip can reach {names[i + 1]!r}, because {tier.name!r} before it takes every clip. "
                f"Give {tier.name!r} a condition, or put it last"
            )


def decide(state: State, config: RunConfig, curators: Sequence[Curator]) -> Scored:
    """Table `decided`: clip, status, reasons, message, tier, duplicate_of. Returns how conditions were read."""
    _scores_view(state, curators)
    scored = Scored(curators, wrong_texts(state, config, curators))
    verdicts = [(rule, scored.verdict_sql(rule)) for rule in config.keep]
    broken = [f"CASE WHEN {v} IN {_either(rule.dropping)} THEN {literal(rule.reason)} END" for rule, v in verdicts]
    # the reason is one and the same for a score that is too low and one that is not there: the message tells them apart
    unmeasured = ", ".join(scored.unmeasured_sql(rule) for rule in config.keep) or "NULL"
    state.sql(
        f"""CREATE OR REPLACE TABLE judged AS
        SELECT s.clip, f.reason AS failure,
            coalesce(f.message, nullif(concat_ws('; ', o.message, {unmeasured}), '')) AS message,
            list_filter([{", ".join(broken) or "CAST(NULL AS VARCHAR)"}], lambda x: x IS NOT NULL) AS broken
        FROM scores s LEFT JOIN failures f USING (clip) LEFT JOIN clip_notes o USING (clip)"""
    )
    drop_bad_groups(state, config)
    if demanding(config):
        _drop_unmet(state)
    _duplicates(state, config, curators)
    tier = "NULL"
    if config.tiers:
        whens = " ".join(
            "WHEN " + (" AND ".join(scored.holds_sql(c) for c in t.when) or "TRUE") + f" THEN {literal(t.name)}"
            for t in config.tiers
        )
        tier = f"CASE {whens} END"
    if unsure := [f"{v} = 'unsure'" for rule, v in verdicts if rule.unsure == "tier"]:
        tier = f"CASE WHEN {' OR '.join(unsure)} THEN {literal(UNDECIDED)} ELSE {tier} END"
    state.sql(
        f"""CREATE OR REPLACE TABLE decided AS
        SELECT j.clip,
            CASE WHEN failure IS NOT NULL THEN 'failed'
                WHEN len(broken) > 0 OR d.duplicate_of IS NOT NULL THEN 'dropped' ELSE 'kept' END AS status,
            CASE WHEN failure IS NOT NULL THEN [failure]
                WHEN d.duplicate_of IS NULL THEN list_distinct_ordered(broken)
                ELSE list_append(list_distinct_ordered(broken), '{DUPLICATE}') END AS reasons,
            j.message, CASE WHEN failure IS NULL AND len(broken) = 0 AND d.duplicate_of IS NULL THEN {tier} END AS tier,
            d.duplicate_of
        FROM judged j JOIN scores USING (clip) LEFT JOIN duplicates_found d USING (clip)"""
    )
    fill_quotas(state, config)
    return scored


def _drop_unmet(state: State) -> None:
    """Drop what does not have what its source requires. After the groups were judged: a licence says nothing about how
    good the clips of a speaker are."""
    state.sql(
        """UPDATE judged SET broken = list_concat(broken, u.reasons),
            message = concat_ws('; ', judged.message, u.message)
        FROM unmet u WHERE u.clip = judged.clip"""
    )


def _scores_view(state: State, curators: Sequence[Curator]) -> None:
    state.sql(
        "CREATE OR REPLACE MACRO list_distinct_ordered(l) AS list_filter(l, lambda x, i: list_position(l, x) = i)"
    )
    joins = " ".join(
        f"LEFT JOIN {quoted(known(c.name))} AS {quoted(c.name)} ON {quoted(c.name)}.clip = n.clip" for c in curators
    )
    columns = "".join(f", {quoted(c.name)}.val AS {quoted(c.name)}" for c in curators)
    state.sql(
        f"""CREATE OR REPLACE VIEW scores AS
        SELECT n.clip, n.source, n."group", n.pcm_sha256, n.duration_s, n.source_rank, n.transcript{columns}
        FROM clips_now n {joins}"""
    )


def _either(verdicts: Sequence[str]) -> str:
    return f"({', '.join(literal(v) for v in verdicts)})"


def _duplicates(state: State, config: RunConfig, curators: Sequence[Curator]) -> None:
    """Table `duplicates_found`: clip, duplicate_of."""
    state.sql(
        """CREATE OR REPLACE TABLE ranked AS
        SELECT clip, s."group", pcm_sha256, duration_s, row_number() OVER (
            ORDER BY len(broken) > 0, s.transcript IS NULL, s.source_rank, s.duration_s DESC, clip) - 1 AS rank
        FROM scores s JOIN judged USING (clip) WHERE failure IS NULL"""
    )
    state.sql("CREATE OR REPLACE TABLE same_audio (clip VARCHAR, label BIGINT)")
    if config.duplicates.exact:
        state.sql("INSERT INTO same_audio SELECT clip, dense_rank() OVER (ORDER BY pcm_sha256) - 1 FROM ranked")
    else:
        state.sql("INSERT INTO same_audio SELECT clip, rank FROM ranked")
    near = next((c for c in curators if c.name == "duplicates"), None)
    if config.duplicates.near and near is not None:
        _merge_near(state, near)
    state.sql(
        """CREATE OR REPLACE TABLE duplicates_found AS
        SELECT clip, first_value(clip) OVER (PARTITION BY label ORDER BY rank) AS duplicate_of
        FROM same_audio JOIN ranked USING (clip) QUALIFY duplicate_of <> clip"""
    )


def _merge_near(state: State, curator: Curator) -> None:
    """Join the labels of clips whose fingerprints match, one representative per set of equal samples."""
    from ...curators.copies.duplicates import clusters, find_duplicates

    value = f"d.val.{quoted(curator.columns[0].name)}"
    known_values = f"{quoted(known(curator.name))} d"
    # a window spills where arg_min of a name would not
    state.sql(
        f"""CREATE OR REPLACE TABLE near_asked AS
        SELECT label, clip, duration_s, "group"
        FROM same_audio JOIN ranked USING (clip) JOIN {known_values} USING (clip)
        WHERE {value} IS NOT NULL AND duration_s >= {MIN_NEAR_S}
        QUALIFY row_number() OVER (PARTITION BY label ORDER BY clip) = 1"""
    )
    table = state.arrow("SELECT * FROM near_asked ORDER BY clip")
    if table.num_rows < 2:
        return
    batches = state.stream(f"SELECT {value} AS held FROM near_asked JOIN {known_values} USING (clip) ORDER BY clip")
    fingerprints = (held.as_py() for batch in batches for held in batch.column(0))
    durations_s = table["duration_s"].to_numpy()
    found = find_duplicates(table["clip"], fingerprints, durations_s, folder=state.scratch)
    groups = table["group"]
    # the channels of one recording sound alike without being copies: only equal samples make them duplicates
    pairs = [(i, j, similarity) for i, j, similarity in found if groups[i] != groups[j]]
    component = clusters(table.num_rows, pairs)
    copies = np.flatnonzero(component != np.arange(table.num_rows))
    labels = table["label"].to_numpy()
    # each set takes the label of its first member
    merged = pa.table({"label": labels[copies], "joined": labels[component[copies]]})
    state.table("near", merged)
    state.sql("UPDATE same_audio SET label = near.joined FROM near WHERE same_audio.label = near.label")
