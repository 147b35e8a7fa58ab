"""The facts that the gate judges: one row of aggregates over a candidate's clip table, computed by DuckDB.

Whatever the size of the table, what great-expectations sees is this row (and, for suites that ask for it, a bounded
sample of flattened rows), so judging 10^7 clips costs a few scans and no dataframe of that size. Counts are exact:
DuckDB's approximate distinct count is off by some 3 % (`benchmarks/dashboards.py` prints it), which no uniqueness check
survives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any

import duckdb

from ...loaders.storage.engine import engine, view_parts
from ...schemas.representation import RepresentationSpec
from ...schemas.score import PROVENANCE
from ...schemas.sql import parquet, quoted
from ...schemas.tables import CLIP_CORE, POINTER, Status

Parts = Sequence[str | PathLike[str]]

NUMERIC = {"FLOAT", "DOUBLE", "TINYINT", "SMALLINT", "INTEGER", "BIGINT"}
NOT_NULL = ("clip", "recording", "source", "path", "status")
"""Core columns that every clip has, failed ones included."""

SHARES = (
    ("kept_share", "kept", "clips"),
    ("failed_share", "failed", "clips"),
    ("extraction_failed_share", "extraction_failed", "extraction_tried"),
)
"""(fact, its numerator, its denominator); 0 of 0 is 0."""


@dataclass(frozen=True)
class Layout:
    """Which columns of a clip table are scores and which are pointers into shards."""

    core: frozenset[str]
    curators: dict[str, dict[str, str]]
    """Struct column -> score column -> DuckDB type."""
    representations: tuple[str, ...]

    @classmethod
    def of(cls, clips: duckdb.DuckDBPyRelation) -> Layout:
        """Read from the relation's own types, so that tables with more or fewer curators are judged alike."""
        pointer = {field.name for field in POINTER}
        curators: dict[str, dict[str, str]] = {}
        representations = []
        for name, dtype in zip(clips.columns, clips.types, strict=True):
            if name in CLIP_CORE.names or dtype.id != "struct":
                continue
            children = {child: str(kind) for child, kind in dtype.children}
            if pointer <= set(children):
                representations.append(name)
            elif set(PROVENANCE) <= set(children):
                curators[name] = {child: kind for child, kind in children.items() if child not in PROVENANCE}
        return cls(frozenset(clips.columns) & frozenset(CLIP_CORE.names), curators, tuple(representations))

    def numeric(self) -> Iterator[tuple[str, str]]:
        """(score, SQL expression as double) of every numeric score column."""
        for curator, columns in self.curators.items():
            for score, kind in columns.items():
                if kind in NUMERIC:
                    yield score, f"{quoted(curator)}.{quoted(score)}::double"


@contextmanager
def opened(clips: duckdb.DuckDBPyRelation | Parts) -> Iterator[duckdb.DuckDBPyRelation]:
    """The clip table as a relation; parts get a connection of their own, bounded at 2 GB and spilling to disk."""
    if isinstance(clips, duckdb.DuckDBPyRelation):
        yield clips
        return
    with engine("gate") as db:
        view_parts(db, "parts", clips)
        yield db.sql("FROM parts")


def gather(
    clips: duckdb.DuckDBPyRelation, previous: Parts | None, specs: Sequence[RepresentationSpec] = ()
) -> dict[str, Any]:
    """Fact name -> value. None where there is nothing to measure (a score that no clip has).

    specs: representations of two channels among them are expected of whole groups, all others of every kept clip.
    Always there: clips, kept, dropped, failed, kept_share, missing_core_columns; the others as the columns allow.
    """
    layout = Layout.of(clips)
    facts: dict[str, Any] = {"missing_core_columns": len(CLIP_CORE.names) - len(layout.core)}
    grouped = [spec for spec in specs if spec.channels > 1 and spec.name in layout.representations]
    facts |= _row(
        clips, _ledger(layout) | _core(layout) | _scores(layout) | _extraction(layout, {spec.name for spec in grouped})
    )
    for spec in grouped:
        facts["lost_in_extraction"] += _one(clips, _groups_without(spec))[0]
    facts["ledger_gap"] = facts["clips"] - facts["kept"] - facts["dropped"] - facts["failed"]
    for share, count, of in SHARES:
        if count in facts:
            facts[share] = facts[count] / facts[of] if facts[of] else 0.0
    if "clip" in layout.core:
        facts |= _row(clips, {"repeated_clips": "count(clip) - count(DISTINCT clip)"})
        if "duplicate_of" in layout.core:
            facts["dangling_duplicates"] = _one(
                clips,
                "SELECT count(*) FROM (SELECT DISTINCT duplicate_of AS clip FROM clips WHERE duplicate_of IS NOT NULL)"
                " ANTI JOIN (SELECT clip FROM clips) USING (clip)",
            )[0]
        facts |= _against(clips, previous)
    return facts


def sample(clips: duckdb.DuckDBPyRelation, rows: int) -> duckdb.DuckDBPyRelation:
    """At most `rows` clips, flattened to core and score columns: those with the smallest key hash, so the same
    clips whatever the order of the parts."""
    layout = Layout.of(clips)
    columns = [quoted(name) for name in CLIP_CORE.names if name in layout.core and name != "reasons"]
    if "reasons" in layout.core:  # a list is not hashable, and many expectations hash
        columns.append("array_to_string(reasons, ' ') AS reasons")
    for curator, scores in layout.curators.items():
        columns += [f"{quoted(curator)}.{quoted(s)} AS {quoted(s)}" for s, kind in scores.items() if kind != "BLOB"]
    order = "ORDER BY clip_hash64, clip" if {"clip_hash64", "clip"} <= layout.core else ""
    return _query(clips, f"SELECT {', '.join(columns)} FROM clips {order} LIMIT {int(rows)}")


def _query(clips: duckdb.DuckDBPyRelation, sql: str) -> duckdb.DuckDBPyRelation:
    relation = clips.query("clips", sql)
    assert relation is not None, "a SELECT always has a result"
    return relation


def _one(clips: duckdb.DuckDBPyRelation, sql: str) -> tuple[Any, ...]:
    return _query(clips, sql).fetchall()[0]  # an aggregate always has one row


def _row(clips: duckdb.DuckDBPyRelation, expressions: dict[str, str]) -> dict[str, Any]:
    sql = ", ".join(f"{expression} AS {quoted(name)}" for name, expression in expressions.items())
    return dict(zip(expressions, _one(clips, f"SELECT {sql} FROM clips"), strict=True))


def _where(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def _ledger(layout: Layout) -> dict[str, str]:
    facts = {"clips": "count(*)"}
    for status in Status:
        facts[status.value] = _where(f"status = '{status.value}'") if "status" in layout.core else "0"
    return facts


def _core(layout: Layout) -> dict[str, str]:
    facts = {f"null_{name}": _where(f"{quoted(name)} IS NULL") for name in NOT_NULL if name in layout.core}
    has = layout.core.issuperset
    if has({"path", "transcript", "label_source"}):
        # a takedown that redacts leaves rows with neither path nor text
        facts["null_path"] = _where("path IS NULL AND (transcript IS NOT NULL OR label_source IS NOT NULL)")
    if has({"status", "duration_s"}):
        facts["bad_durations"] = _where(
            "status <> 'failed' AND (duration_s IS NULL OR NOT isfinite(duration_s) OR duration_s <= 0)"
        )
    if has({"status", "duration_s", "start", "end", "sample_rate"}):
        facts["wrong_spans"] = _where(
            "status <> 'failed' AND coalesce(\"end\" <= start OR start < 0 OR sample_rate <= 0"
            ' OR abs(("end" - start) / sample_rate::double - duration_s) > 1e-3, true)'
        )
    if has({"status", "reasons"}):
        facts["unexplained"] = _where("status <> 'kept' AND coalesce(len(reasons), 0) = 0")
        facts["kept_with_reasons"] = _where("status = 'kept' AND coalesce(len(reasons), 0) > 0")
    if "label_conflict" in layout.core:
        facts["label_conflicts"] = _where("label_conflict")
    return facts


def _scores(layout: Layout) -> dict[str, str]:
    facts = {}
    finite = []
    for score, expression in layout.numeric():
        facts[f"{score}_min"] = f"min({expression}) FILTER (WHERE isfinite({expression}))"
        facts[f"{score}_max"] = f"max({expression}) FILTER (WHERE isfinite({expression}))"
        facts[f"{score}_null_share"] = f"avg(({expression} IS NULL)::int)"
        finite.append(f"coalesce(NOT isfinite({expression}), false)")
    if finite:
        facts["not_finite"] = _where(" OR ".join(finite))
    if layout.curators and "status" in layout.core:
        live = "status <> 'failed'"
        silent, failed = [], []
        for curator, scores in layout.curators.items():
            reason = f"{quoted(curator)}.reason"
            absent = " OR ".join(f"{quoted(curator)}.{quoted(score)} IS NULL" for score in scores)
            if absent:
                silent.append(f"({reason} IS NULL AND ({absent}))")
            failed.append(f"coalesce(avg(starts_with({reason}, 'failed')::int) FILTER (WHERE {live}), 0)")
        facts["nulls_without_reason"] = _where(f"{live} AND ({' OR '.join(silent)})") if silent else "0"
        facts["worst_curator_failed_share"] = f"greatest({', '.join([*failed, '0'])})"
    return facts


def _extraction(layout: Layout, grouped: Collection[str]) -> dict[str, str]:
    if not layout.representations or "status" not in layout.core:
        return {}
    lost = [
        f"({quoted(r)}.shard IS NULL AND {quoted(r)}.error IS NULL)" for r in layout.representations if r not in grouped
    ]
    failed = [f"{quoted(r)}.error IS NOT NULL" for r in layout.representations]
    return {
        "lost_in_extraction": _where(f"status = 'kept' AND ({' OR '.join(['FALSE', *lost])})"),
        # a kept clip that cannot be extracted is a failed one in the table
        "extraction_failed": _where(" OR ".join(failed)),
        "extraction_tried": _where(" OR ".join(["status = 'kept'", *failed])),
    }


def _groups_without(spec: RepresentationSpec) -> str:
    """SQL that counts groups whose channels are all kept and that lack the sample of two channels, or have it twice."""
    least = 1 if spec.takes_mono else 2
    return f"""SELECT count(*) FROM (
        SELECT count({quoted(spec.name)}.shard) AS held FROM clips GROUP BY "group"
        HAVING bool_and(status = 'kept') AND count(*) = max(num_channels) AND count(*) BETWEEN {least} AND 2
    ) WHERE held <> 1"""


def _against(clips: duckdb.DuckDBPyRelation, previous: Parts | None) -> dict[str, Any]:
    """Shares of the clips published before: whose keep decision changed (a kept clip that is gone counts), and that
    are gone; both 0 for a first version. `published_before` is their number."""
    if not previous or not {"clip", "status"} <= set(clips.columns):
        return {"published_before": 0, "flipped_share": 0.0, "retired_share": 0.0}
    before, flipped, retired = _one(
        clips,
        f"""
        WITH before AS (
            SELECT clip, status = 'kept' AS kept FROM {parquet(previous)}
        ), now AS (SELECT clip, status = 'kept' AS kept FROM clips)
        SELECT count(*),
               count(*) FILTER (WHERE before.kept IS DISTINCT FROM coalesce(now.kept, false)),
               count(*) FILTER (WHERE now.clip IS NULL)
        FROM before LEFT JOIN now USING (clip)
        """,
    )
    return {
        "published_before": before,
        "flipped_share": flipped / before if before else 0.0,
        "retired_share": retired / before if before else 0.0,
    }
