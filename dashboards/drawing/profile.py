"""The profile of a version: every aggregate that report, explorer and comparisons show, computed once by DuckDB.

Plain JSON, a few hundred kilobytes whatever the size of the version. Histograms and quantiles are exact, by `GROUP BY`
and `quantile_cont`, which on large tables are also faster than `histogram()` and `approx_quantile`. Sums run
over integers (microseconds, 2^-20 of a score's unit), so that equal rows give equal bytes in whatever order they come;
numbers are rounded to six significant digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any

import duckdb

from ...loaders.storage.engine import engine, view_parts
from ...schemas.condition import Rule
from ...schemas.derived import PROFILE_SCHEMA
from ...schemas.score import sigma_name
from ...schemas.sql import quoted
from ...schemas.tables import CARRIED, Status
from ...schemas.undecided import Undecided, curve_of, curve_sql, undecided_row, undecided_sql
from ...schemas.version import CuratorEntry
from .bins import Bins, nice_bins, shares_bins

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
STATUSES = [status.value for status in Status]
TOP_VALUES = 12
LONGEST_VALUE = 80
"""Characters of a carried value."""
MICROSECONDS = "TRY_CAST(round(duration_s * 1e6) AS hugeint)"
HOURS = f"coalesce(sum({MICROSECONDS}), 0) / 3.6e9"

Parts = Sequence[str | PathLike[str]]
Entry = CuratorEntry | Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One score column (or `duration_s`), where it is in the table and what it means."""

    name: str
    curator: str
    dtype: str
    unit: str
    description: str

    @property
    def sql(self) -> str:
        """The column as an SQL expression."""
        return f"{quoted(self.curator)}.{quoted(self.name)}" if self.curator else quoted(self.name)


def profile(parts: Parts, curators: Mapping[str, Entry], rules: Sequence[Rule] = ()) -> dict[str, Any]:
    """The profile of the clip table in `parts`; `curators` as in the version document says what its scores mean.

    rules: those that decided; the profile counts what they left undecided.
    """
    with _table(parts) as table:
        scores = list(_columns(table, curators))
        status = {
            name: {"clips": clips, "hours": _round(hours)}
            for name, clips, hours in _rows(table, f"SELECT status, count(*), {HOURS} FROM clips GROUP BY 1 ORDER BY 1")
        }
        return {
            "schema": PROFILE_SCHEMA,
            "clips": sum(part["clips"] for part in status.values()),
            "hours": _round(sum(part["hours"] for part in status.values())),
            "status": {name: status.get(name, {"clips": 0, "hours": 0.0}) for name in STATUSES},
            "reasons": _reasons(table),
            "co_occurrence": _co_occurrence(table),
            "failures": _counts(table, "reasons[1]", "status = 'failed'"),
            "tiers": _counts(table, "tier", "status = 'kept'"),
            "languages": _counts(table, "coalesce(language, 'unknown')"),
            "sample_rates": _counts(table, "sample_rate"),
            "introduced": _counts(table, "introduced"),
            "carried": {name: _carried(table, name) for name in _carried_names(table)},
            "undecided": [found.model_dump() for found in _undecided(table, scores, rules)],
            "scores": {column.name: _score(table, column) for column in scores},
        }


@contextmanager
def _table(parts: Parts) -> Iterator[duckdb.DuckDBPyConnection]:
    with engine("report") as table:
        view_parts(table, "clips", parts)
        yield table


def _rows(table: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return table.execute(sql).fetchall()


def _columns(table: duckdb.DuckDBPyConnection, curators: Mapping[str, Entry]) -> Iterator[Column]:
    yield Column("duration_s", "", "float32", "s", "Length of the clip")
    described = table.execute("SELECT * FROM clips LIMIT 0").description or []
    structs = {name: {child for child, _ in kind.children} for name, kind, *_ in described if kind.id == "struct"}
    for curator, entry in sorted(curators.items()):
        listed = entry.columns if isinstance(entry, CuratorEntry) else entry.get("columns", [])
        for column in listed:
            if column["name"] in structs.get(curator, ()) and column.get("dtype") != "binary":
                yield Column(
                    column["name"],
                    curator,
                    column.get("dtype", "float32"),
                    column.get("unit", ""),
                    column.get("description", ""),
                )


def _carried_names(table: duckdb.DuckDBPyConnection) -> list[str]:
    described = table.execute("SELECT * FROM clips LIMIT 0").description or []
    return [child for name, kind, *_ in described if name == CARRIED for child, _ in kind.children]


def _carried(table: duckdb.DuckDBPyConnection, name: str) -> dict[str, dict[str, Any]]:
    """Value -> clips by status and hours kept; the most frequent values, `none`, and `others` that are left."""
    filters = ", ".join(f"count(*) FILTER (WHERE status = '{status}')" for status in STATUSES)
    kept = f"coalesce(sum({MICROSECONDS}) FILTER (WHERE status = 'kept'), 0) / 3.6e9"
    sql = f"""
        WITH told AS (SELECT {CARRIED}.{quoted(name)} AS value, status, duration_s FROM clips),
        often AS (SELECT value FROM told WHERE value IS NOT NULL
            GROUP BY 1 ORDER BY count(*) DESC, value LIMIT {TOP_VALUES}),
        sorted AS (SELECT *,
            CASE WHEN value IS NULL THEN 2 WHEN value IN (FROM often) THEN 0 ELSE 1 END AS kind FROM told)
        SELECT kind, CASE WHEN kind = 0 THEN left(value, {LONGEST_VALUE}) END AS shown, {filters}, {kept}
        FROM sorted GROUP BY 1, 2 ORDER BY kind, count(*) DESC, shown
    """
    return {
        _told(kind, shown): {
            **dict(zip(STATUSES, rest[:-1], strict=True)),
            "kept_hours": _round(rest[-1]),
        }
        for kind, shown, *rest in _rows(table, sql)
    }


def _told(kind: int, value: str) -> str:
    if kind:
        return ("others", "none")[kind - 1]
    return repr(value) if value in ("others", "none") else value


def _counts(table: duckdb.DuckDBPyConnection, by: str, where: str = "true") -> dict[str, dict[str, Any]]:
    sql = f"""
        SELECT {by} AS value, count(*) AS clips, {HOURS}
        FROM clips WHERE {where} GROUP BY 1 ORDER BY clips DESC, value
    """
    return {
        "none" if value is None else str(value): {"clips": clips, "hours": _round(hours)}
        for value, clips, hours in _rows(table, sql)
    }


def _reasons(table: duckdb.DuckDBPyConnection) -> dict[str, dict[str, Any]]:
    """Reason -> clips and hours it drops, and how many clips no other reason drops (`only`)."""
    sql = f"""
        SELECT reason, count(*) AS n, {HOURS}, count(*) FILTER (WHERE alone)
        FROM (SELECT unnest(list_distinct(reasons)) AS reason, len(list_distinct(reasons)) = 1 AS alone, duration_s
              FROM clips WHERE status = 'dropped')
        GROUP BY 1 ORDER BY n DESC, reason
    """
    return {reason: {"clips": n, "hours": _round(h), "only": only} for reason, n, h, only in _rows(table, sql)}


def _undecided(
    table: duckdb.DuckDBPyConnection, scores: Sequence[Column], rules: Sequence[Rule]
) -> Iterator[Undecided]:
    """Of each rule with a confidence whose score and deviation the table has."""
    by_name = {column.name: column for column in scores}

    def verdict(rule: Rule) -> str | None:
        score, sigma = by_name.get(rule.score), by_name.get(sigma_name(rule.score))
        if score is None:
            return None
        return rule.verdict_sql(score.sql, score.dtype, f"{quoted(score.curator)}.reason", sigma and sigma.sql)

    for rule in rules:
        said, sigma = verdict(rule), by_name.get(sigma_name(rule.score))
        if rule.confidence is None or said is None or sigma is None:
            continue
        others = [
            f"{of} IN ({', '.join(map(repr, other.dropping))})"
            for other in rules
            if other is not rule and other.reason == rule.reason and (of := verdict(other))
        ]
        sql = undecided_sql(rule, said, by_name[rule.score].sql, sigma.sql, others, "clips")
        curve = curve_of(_rows(table, curve_sql(rule, by_name[rule.score].sql, sigma.sql, "clips"))[0])
        yield undecided_row(rule, _rows(table, sql)[0]).model_copy(update={"curve": curve})


def _co_occurrence(table: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Dropped clips by pairs of reasons: a symmetric matrix whose diagonal counts clips per reason."""
    sql = """
        WITH one AS (SELECT unnest(list_distinct(reasons)) AS a, list_distinct(reasons) AS rest
                     FROM clips WHERE status = 'dropped'),
             two AS (SELECT a, unnest(rest) AS b FROM one)
        SELECT a, b, count(*) FROM two GROUP BY ALL
    """
    pairs = {(a, b): n for a, b, n in _rows(table, sql)}
    names = sorted({a for a, _ in pairs}, key=lambda name: (-pairs[name, name], name))
    return {"reasons": names, "counts": [[pairs.get((a, b), 0) for b in names] for a in names]}


def _score(table: duckdb.DuckDBPyConnection, column: Column) -> dict[str, Any]:
    nulls = dict(_rows(table, f"SELECT status, count(*) FROM clips WHERE {column.sql} IS NULL GROUP BY 1"))
    described: dict[str, Any] = {
        "curator": column.curator,
        "dtype": column.dtype,
        "unit": column.unit,
        "description": column.description,
        "nulls": {status: nulls.get(status, 0) for status in STATUSES},
    }
    if column.curator:
        sql = f"""
            SELECT {quoted(column.curator)}.reason AS why, count(*) AS n FROM clips
            WHERE {column.sql} IS NULL AND why IS NOT NULL GROUP BY 1 ORDER BY n DESC, why LIMIT {TOP_VALUES}
        """
        described["null_reasons"] = dict(_rows(table, sql))
    if column.dtype in ("bool", "string"):
        return described | {"values": _values(table, column)}
    return described | _distribution(table, column)


def _values(table: duckdb.DuckDBPyConnection, column: Column) -> dict[str, dict[str, int]]:
    """Value -> clips by status, the most frequent values."""
    filters = ", ".join(f"count(*) FILTER (WHERE status = '{status}')" for status in STATUSES)
    sql = f"""
        SELECT {column.sql}::varchar AS value, {filters} FROM clips WHERE {column.sql} IS NOT NULL
        GROUP BY 1 ORDER BY count(*) DESC, value LIMIT {TOP_VALUES}
    """
    return {row[0]: dict(zip(STATUSES, row[1:], strict=True)) for row in _rows(table, sql)}


def _distribution(table: duckdb.DuckDBPyConnection, column: Column) -> dict[str, Any]:
    """Quantiles by status and one histogram with shared bins; values outside the bins are in the outermost ones."""
    value = f"({column.sql})::double"
    finite = f"FROM clips WHERE isfinite({value})"
    robust = f"quantile_cont({value}, [0.005, 0.995])"
    count, low, high, range_ = _rows(table, f"SELECT count(*), min({value}), max({value}), {robust} {finite}")[0]
    if not count:
        return {"count": 0}
    mean_of = f"sum(TRY_CAST(round({value} * {1 << 20}) AS hugeint)) / {1 << 20} / count(*)"
    points = f"quantile_cont({value}, {list(QUANTILES)})"
    quantiles = {}
    for status, n, mean, at in _rows(
        table, f"SELECT status, count(*), {mean_of}, {points} {finite} GROUP BY 1 ORDER BY 1"
    ):
        named = {f"p{round(100 * q):02d}": _round(x) for q, x in zip(QUANTILES, at, strict=True)}
        quantiles[status] = {"count": n, "mean": _round(mean), **named}
    bins = _bins(column.unit, low, high, range_)
    index = f"greatest(least(floor(({value} - {bins.start!r}) / {bins.step!r}), {bins.count - 1}), 0)::int"
    counts = {status: [0] * bins.count for status in quantiles}
    for status, at, n in _rows(table, f"SELECT status, {index} AS bin, count(*) {finite} GROUP BY 1, 2"):
        counts[status][at] = n
    outside = [f"count(*) FILTER (WHERE {value} < {bins.start!r})", f"count(*) FILTER (WHERE {value} > {bins.end!r})"]
    below, above = _rows(table, f"SELECT {', '.join(outside)} {finite}")[0]
    return {
        "count": count,
        "min": _round(low),
        "max": _round(high),
        "quantiles": quantiles,
        "histogram": {**bins.to_dict(), "counts": counts, "below": below, "above": above},
    }


def _bins(unit: str, low: float, high: float, range_: Sequence[float]) -> Bins:
    if unit == "MOS" and low >= 1 and high <= 5:
        return Bins(1.0, 0.1, 40)
    if unit == "1" and low >= 0 and high <= 1 and (range_[1] > 0.2 or low == high):
        return shares_bins()
    return nice_bins(range_[0], range_[1])


def _round(value: float | None) -> float | None:
    """Six significant digits."""
    if value is None or not math.isfinite(value) or value == 0:
        return value
    return float(f"{value:.6g}")
