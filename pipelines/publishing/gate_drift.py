"""How far the scores of new clips lie from those that were published before.

For each numeric score: the largest difference between the two distribution functions (Kolmogorov and Smirnov), over
the quantiles of the clips before, and the Kullback-Leibler divergence of new from old over the same bins, in bit, less
its bias (bins - 1) / (2 n ln 2) (Miller, 1955). A difference that chance alone exceeds once in a thousand times counts
as 0. Chance is that of independent clips; those of few speakers differ more.
"""

from __future__ import annotations

import math
from typing import Any

import duckdb
import numpy as np

from ...schemas.sql import parquet
from .gate_facts import Layout, Parts

BINS = 32
LEAST = 200
"""New clips, and clips before, below which nothing is said."""
CHANCE = 1.95
"""Times sqrt((n + m) / (n m)): what the difference exceeds once in a thousand times."""


def drift(clips: duckdb.DuckDBPyRelation, previous: Parts | None) -> dict[str, Any]:
    """`<score>_drift` and `<score>_drift_bits` of each score; `drift`, the largest, of the score `drift_of`. None where
    there is too little to compare."""
    nothing: dict[str, Any] = {"drift": None, "drift_of": None, "drift_bits": None}
    if not previous or not {"clip", "status"} <= set(clips.columns):
        return nothing
    before = _before(clips, previous)
    known = dict(Layout.of(before).numeric())
    scores = [(name, sql) for name, sql in Layout.of(clips).numeric() if known.get(name) == sql]
    if not scores:
        return nothing
    edges = _edges(before, scores)
    old = _counts(before, scores, edges, "FROM clips WHERE status <> 'failed'")
    fresh = f"FROM clips ANTI JOIN (SELECT clip FROM {parquet(previous)}) USING (clip) WHERE status <> 'failed'"
    new = _counts(clips, scores, edges, fresh)
    found: dict[str, Any] = {}
    for name, _ in scores:
        found[f"{name}_drift"], found[f"{name}_drift_bits"] = _compare(old[name], new[name])
    measured = {name: found[f"{name}_drift"] for name, _ in scores if found[f"{name}_drift"] is not None}
    if not measured:
        return nothing | found
    worst = max(measured, key=lambda name: measured[name])
    return found | {
        "drift": measured[worst], "drift_of": worst,
        "drift_bits": max(found[f"{name}_drift_bits"] for name in measured),
    }  # fmt: skip


def _before(clips: duckdb.DuckDBPyRelation, previous: Parts) -> duckdb.DuckDBPyRelation:
    relation = clips.query("unused", f"FROM {parquet(previous)}")
    assert relation is not None
    return relation


def _edges(before: duckdb.DuckDBPyRelation, scores: list[tuple[str, str]]) -> dict[str, list[float]]:
    """Inner quantiles of each score, ascending and distinct."""
    steps = ", ".join(f"{k / BINS:.6f}" for k in range(1, BINS))
    columns = ", ".join(f"approx_quantile({sql}, [{steps}]) FILTER (WHERE isfinite({sql}))" for _, sql in scores)
    relation = before.query("clips", f"SELECT {columns} FROM clips WHERE status <> 'failed'")
    assert relation is not None
    row = relation.fetchall()[0]
    return {name: sorted(set(found or ())) for (name, _), found in zip(scores, row, strict=True)}


def _counts(
    clips: duckdb.DuckDBPyRelation, scores: list[tuple[str, str]], edges: dict[str, list[float]], source: str
) -> dict[str, np.ndarray]:
    """`[E + 1]` clips at or below each edge, and all of them."""
    columns = [
        f"count(*) FILTER (WHERE isfinite({sql}){limit})"
        for name, sql in scores
        for limit in (*(f" AND {sql} <= {edge!r}::DOUBLE" for edge in edges[name]), "")
    ]
    relation = clips.query("clips", f"SELECT {', '.join(columns)} {source}")
    assert relation is not None
    row = list(relation.fetchall()[0])
    return {name: np.array([row.pop(0) for _ in range(len(edges[name]) + 1)], dtype=np.float64) for name, _ in scores}


def _compare(old: np.ndarray, new: np.ndarray) -> tuple[float | None, float | None]:
    m, n = old[-1], new[-1]
    if min(m, n) < LEAST:
        return None, None
    apart = float(np.abs(old / m - new / n).max())
    beyond = apart > CHANCE * math.sqrt((n + m) / (n * m))
    p, q = (np.diff(counts, prepend=0.0) for counts in (new, old))
    # half a clip in each bin: an empty one says nothing of infinity
    p, q = (p + 0.5) / (n + 0.5 * len(p)), (q + 0.5) / (m + 0.5 * len(q))
    bits = float((p * np.log2(p / q)).sum()) - (len(p) - 1) / (2 * n * math.log(2))
    return (apart if beyond else 0.0), max(bits, 0.0)
