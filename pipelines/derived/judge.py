"""Judge a version by source, speaker and language: which of them are bad, and what each contributes.

A clip is bad where it failed or broke a rule of `keep`; being a duplicate or beyond a quota is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ...loaders.reading.pending import require_none
from ...loaders.reading.version import Version
from ...loaders.storage.engine import engine, view_parts
from ...loaders.storage.layout import derived_path
from ...loaders.storage.parts import parquet_bytes
from ...schemas.pass_tables import JUDGEMENT, JUDGEMENT_SCHEMA
from ...schemas.score import PROVENANCE
from ...schemas.sql import listed, literal, quoted
from ..policy.group_rules import wilson_low
from ..policy.speakers import version_speakers

SCARCE = 0.2
"""Fraction of an even share of kept hours below which a member counts as under-represented."""
NO_FAULT = ("duplicate",)
NUMBERS = {"FLOAT", "DOUBLE", "INTEGER", "BIGINT"}
LEVEL = "level_dbfs"


def judge(version: Version) -> pa.Table:
    """The judgement (`JUDGEMENT`), worst first within source, speaker and language; written to
    `derived/<version>/judgement.parquet`. Raises `PendingError` while a takedown is not done."""
    require_none(version.store)
    return _made(version)


def _made(version: Version) -> pa.Table:
    if version.document.counts.clips:
        with _opened(version) as db:
            table = _judged(db, version.document.config)
    else:
        table = JUDGEMENT.empty_table()
    path = derived_path(version.document.number, "judgement.parquet")
    version.store.put_derived(path, parquet_bytes(table, JUDGEMENT_SCHEMA))
    return table


def judgement(version: Version) -> pa.Table:
    """The stored judgement of a version, made when it is absent."""
    data = version.derived("judgement.parquet")
    return _made(version) if data is None else pq.read_table(pa.BufferReader(data))


@contextmanager
def _opened(version: Version) -> Iterator[duckdb.DuckDBPyConnection]:
    """Views `clips` and `voices` (clip, speaker, kind)."""
    with engine("judge") as db:
        view_parts(db, "clips", version.files())
        db.register("voices", version_speakers(version))
        yield db


def _judged(db: duckdb.DuckDBPyConnection, config: Mapping[str, Any]) -> pa.Table:
    # a group rule condemns a clip for its company: the ranking looks at what the clip itself did
    company = [rule["reason"] for rule in config.get("drop_groups", [])]
    company += [quota["reason"] for quota in config.get("quotas", [])]
    excused = listed((*NO_FAULT, *company))
    db.execute(
        f"""CREATE TABLE facts AS
        SELECT c.* EXCLUDE (speaker), v.speaker, v.kind AS speaker_kind,
            CAST(round(coalesce(duration_s, 0) * 1e6) AS HUGEINT) AS microseconds,
            status = 'failed' OR len(list_filter(coalesce(reasons, []), lambda x: NOT list_contains({excused}, x))) > 0
                AS bad
        FROM clips c JOIN voices v USING (clip)"""
    )
    scores = dict(_numeric(db))
    medians = ", ".join(f"{literal(name)}: median({sql})" for name, sql in scores.items())
    medians = f"map_from_entries(list_filter(map_entries(MAP {{{medians}}}), lambda e: e.value IS NOT NULL))"
    spread = f"quantile_cont({scores[LEVEL]}, 0.9) - quantile_cont({scores[LEVEL]}, 0.1)" if LEVEL in scores else "NULL"
    tables = []
    for by, member, kind in (
        ("source", "source", "'source'"),
        ("speaker", "speaker", "any_value(speaker_kind)"),
        ("language", "coalesce(language, 'unknown')", "'language'"),
    ):
        # the same name may be a label, a voice and a recording's hash only by accident, but then they are three
        grouping = "member, speaker_kind" if by == "speaker" else "member"
        db.execute(
            f"""CREATE OR REPLACE TABLE grouped AS
            SELECT {member} AS member, {kind} AS kind, count(*) AS clips, sum(microseconds) / 3.6e9 AS hours,
                count(*) FILTER (WHERE status = 'kept') AS kept,
                coalesce(sum(microseconds) FILTER (WHERE status = 'kept'), 0) / 3.6e9 AS kept_hours,
                count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE bad) AS bad,
                {medians if scores else "MAP([]::VARCHAR[], []::DOUBLE[])"} AS medians, {spread} AS loudness_spread_db
            FROM facts GROUP BY {grouping}"""
        )
        db.execute(
            f"""CREATE OR REPLACE TABLE causes AS
            SELECT member, kind, map_from_entries(list((reason, times) ORDER BY times DESC, reason)) AS times FROM (
                SELECT member, {"kind" if by == "speaker" else kind + " AS kind"}, reason, count(*) AS times FROM (
                    SELECT {member} AS member, speaker_kind AS kind, unnest(list_distinct(reasons)) AS reason FROM facts
                ) GROUP BY ALL
            ) GROUP BY member, kind"""
        )
        tables.append(
            db.sql(
                f"""SELECT {literal(by)} AS by, member, kind,
                    row_number() OVER (ORDER BY {wilson_low("bad", "clips")} DESC, clips DESC, member, kind) AS rank,
                    clips, hours, kept, kept_hours, kept_hours / nullif(hours, 0) AS kept_share,
                    kept_hours / nullif(sum(kept_hours) OVER (), 0) AS corpus_share, failed,
                    bad / clips::DOUBLE AS bad_share, {wilson_low("bad", "clips")} AS badness,
                    coalesce(map_from_entries(list_transform(map_entries(times),
                            lambda e: struct_pack(k := e.key, v := e.value / clips::DOUBLE))),
                        MAP([]::VARCHAR[], []::DOUBLE[])) AS reasons,
                    medians, loudness_spread_db,
                    kept_hours < {SCARCE} * sum(kept_hours) OVER () / count(*) OVER () AS scarce
                FROM grouped LEFT JOIN causes USING (member, kind) ORDER BY rank"""
            )
            .to_arrow_table()
            .cast(JUDGEMENT)
        )
    return pa.concat_tables(tables)


def _numeric(db: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """(score, SQL of it as double) of every numeric score column."""
    described = db.execute("SELECT * FROM clips LIMIT 0").description or []
    for name, kind, *_ in described:
        if kind.id != "struct":
            continue
        children = {child: str(of) for child, of in kind.children}
        if set(PROVENANCE) <= set(children):
            for child, of in children.items():
                if of in NUMBERS:
                    yield child, f"{quoted(name)}.{quoted(child)}::DOUBLE"
