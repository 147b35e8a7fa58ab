"""Diff: what changed between two versions, from their tables and documents.

Parts that both versions list hold the same rows, so clip by clip only the other parts are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...schemas.errors import ConfigError
from ...schemas.sql import quoted
from ...schemas.version import VersionDocument
from ..reading.version import Version, open_version
from ..storage.engine import engine, view_parts
from ..storage.store import Store

if TYPE_CHECKING:
    import duckdb

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MEMORY_LIMIT = "1GB"
"""DuckDB spills to a scratch folder beyond this."""
GROUPED_BY = ("language", "speaker", "source", "tier")
LABELS = {"transcript": "transcript_sha256", "language": "language", "speaker": "speaker", "path": "path"}


@dataclass(frozen=True)
class ScoreShift:
    """One numeric score column in both versions."""

    score: str
    unit: str
    clips: tuple[int, int]
    """Clips that have it."""
    mean: tuple[float | None, float | None]
    quantiles: tuple[list[float], list[float]]
    """At `QUANTILES`."""
    changed: int
    """Clips of both versions whose value differs, null against a number included."""
    mean_change: float | None
    """Over clips of both versions whose value differs."""


@dataclass(frozen=True)
class HoursShift:
    """Hours of kept clips of one language, speaker, source or tier."""

    by: str
    value: str | None
    a: float
    b: float


@dataclass(frozen=True)
class Diff:
    """From version `a` to version `b`. A clip is in when it is kept."""

    a: int
    b: int
    parent: int | None
    """The version that `b` was made from."""
    counts: dict[str, tuple[int, int]]
    """Of the ledgers."""
    came: dict[str, int]
    """Clips that are in now, by why they were not: "new", "failed", or each reason of dropping."""
    went: dict[str, int]
    """Clips that were in, by why they are not: "gone", "failed", or each reason of dropping."""
    flips: dict[str, int]
    """Clips of both versions whose status changed, "kept to dropped"."""
    flipped_share: float
    """Of the clips that both versions have."""
    new: dict[str, int]
    """Clips that only `b` has, by what became of them: "kept", "failed", or each reason of dropping."""
    gone: dict[str, int]
    """Clips that only `a` has, by what they were there."""
    relabelled: dict[str, int]
    """Clips of both versions whose transcript, language, speaker or path changed."""
    scores: list[ScoreShift] = field(default_factory=list)
    hours: list[HoursShift] = field(default_factory=list)
    schema: list[str] = field(default_factory=list)
    """Columns, curators, representations and code that changed, one line each."""
    config: list[str] = field(default_factory=list)
    """Settings that changed, one line each."""


def diff(dataset: str | Store, a: int | str | None = None, b: int | str | None = None, *, top: int = 20) -> Diff:
    """What changed from version `a` to `b`.

    b: default the newest. a: default the parent of `b`; so it is where `a` alone is given, and is the newest, unless
    that is the first.
    top: rows per grouping of hours, those that changed most.
    Raises `MissingExtraError` without DuckDB, `ConfigError` for a version that is not there, or has no parent.
    """
    new = open_version(dataset, b)
    old = open_version(dataset, a) if a is not None else None
    if old is None or (b is None and old.document.number == new.document.number and new.document.parent):
        old = _parent(dataset, new)
    with engine("diff", memory_limit=MEMORY_LIMIT, threads=2) as db:
        _views(db, old, new)
        moves = _moves(db)
        both = int(moves.pop("both"))
        flips = moves["flips"]
        return Diff(
            a=old.document.number,
            b=new.document.number,
            parent=new.document.parent,
            counts=_counts(old.document, new.document),
            **moves,
            flipped_share=sum(flips.values()) / both if both else 0.0,
            scores=list(_scores(db, old.document, new.document)),
            hours=_hours(db, top),
            schema=list(schema_changes(old.document, new.document)),
            config=list(changes(old.document.config, new.document.config)),
        )


def _parent(dataset: str | Store, version: Version) -> Version:
    if version.document.parent is None:
        raise ConfigError(f"version {version.document.number} is the first: there is none before it to compare it with")
    return open_version(dataset, version.document.parent)


def _views(db: duckdb.DuckDBPyConnection, old: Version, new: Version) -> None:
    """`all_a`, `all_b`, and without the parts they share `own_a`, `own_b`; `shared_rows` counts those."""
    parts = [{o.sha256: (f, o.rows) for o, f in zip(v.document.clips, v.files(), strict=True)} for v in (old, new)]
    shared = parts[0].keys() & parts[1].keys()
    for side, held in zip("ab", parts, strict=True):
        view_parts(db, f"all_{side}", [file for file, _ in held.values()])
        view_parts(db, f"own_{side}", [file for sha256, (file, _) in held.items() if sha256 not in shared])
    rows = sum(parts[0][sha256][1] for sha256 in shared)
    db.execute(f"CREATE VIEW shared_rows AS SELECT {rows} AS n")


def _moves(db: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    columns = "clip, status, reasons, transcript_sha256, language, speaker, path"
    db.execute(
        f"""CREATE TABLE pairs AS
        SELECT a.clip IS NOT NULL AS in_a, b.clip IS NOT NULL AS in_b, a.status AS was, b.status AS now,
            a.reasons AS why_before, b.reasons AS why_now,
            {", ".join(f"a.{c} IS DISTINCT FROM b.{c} AS {name}" for name, c in LABELS.items())}
        FROM (SELECT {columns} FROM own_a) a FULL JOIN (SELECT {columns} FROM own_b) b USING (clip)"""
    )
    came = """CASE WHEN NOT in_a THEN ['new'] WHEN was = 'failed' THEN ['failed'] ELSE why_before END"""
    went = """CASE WHEN NOT in_b THEN ['gone'] WHEN now = 'failed' THEN ['failed'] ELSE why_now END"""
    became = "CASE WHEN {0} = 'dropped' THEN {1} ELSE [{0}] END"
    relabelled = db.execute(
        f"SELECT {', '.join(f'count(*) FILTER ({name})' for name in LABELS)} FROM pairs WHERE in_a AND in_b"
    ).fetchall()[0]
    return {
        "came": _tally(db, f"SELECT unnest({came}) FROM pairs WHERE now = 'kept' AND was IS DISTINCT FROM 'kept'"),
        "went": _tally(db, f"SELECT unnest({went}) FROM pairs WHERE was = 'kept' AND now IS DISTINCT FROM 'kept'"),
        "flips": _tally(db, "SELECT was || ' to ' || now FROM pairs WHERE in_a AND in_b AND was <> now"),
        "new": _tally(db, f"SELECT unnest({became.format('now', 'why_now')}) FROM pairs WHERE NOT in_a"),
        "gone": _tally(db, f"SELECT unnest({became.format('was', 'why_before')}) FROM pairs WHERE NOT in_b"),
        "relabelled": dict(zip(LABELS, relabelled, strict=True)),
        "both": _one(db, "SELECT (SELECT count(*) FROM pairs WHERE in_a AND in_b) + (SELECT n FROM shared_rows)"),
    }


def _scores(db: duckdb.DuckDBPyConnection, old: VersionDocument, new: VersionDocument) -> Iterator[ScoreShift]:
    columns = _numeric(old) | _numeric(new)
    both = {name: c for name, c in columns.items() if name in _numeric(old) and name in _numeric(new)}
    changes: Mapping[str, tuple[int, float | None]] = _changed(db, both)
    for name, (curator, unit) in columns.items():
        sides = [
            _distribution(db, f"all_{side}", curator, name) if name in _numeric(document) else (0, None, [])
            for side, document in (("a", old), ("b", new))
        ]
        (n_a, mean_a, q_a), (n_b, mean_b, q_b) = sides
        changed, mean_change = changes.get(name, (0, None))
        yield ScoreShift(name, unit, (n_a, n_b), (mean_a, mean_b), (q_a, q_b), changed, mean_change)


def _numeric(document: VersionDocument) -> dict[str, tuple[str, str]]:
    """Score column to curator and unit."""
    return {
        column["name"]: (curator, column.get("unit", ""))
        for curator, entry in sorted(document.curators.items())
        for column in entry.columns
        if column.get("dtype") in ("float32", "int32", "bool")
    }


def _distribution(
    db: duckdb.DuckDBPyConnection, view: str, curator: str, name: str
) -> tuple[int, float | None, list[float]]:
    value = f"CAST({quoted(curator)}.{quoted(name)} AS DOUBLE)"
    points = ", ".join(str(q) for q in QUANTILES)
    if curator not in {row[0] for row in db.execute(f"DESCRIBE {view}").fetchall()}:
        return 0, None, []
    n, mean, quantiles = db.execute(
        f"SELECT count(v), avg(v), quantile_cont(v, [{points}]) FROM (SELECT {value} AS v FROM {view})"
    ).fetchall()[0]
    return n, mean, list(quantiles or [])


def _changed(
    db: duckdb.DuckDBPyConnection, columns: Mapping[str, tuple[str, str]]
) -> dict[str, tuple[int, float | None]]:
    """Per score column, clips of both versions whose value differs, and by how much on average."""
    held = [{row[0] for row in db.execute(f"DESCRIBE own_{side}").fetchall()} for side in "ab"]
    columns = {name: c for name, c in columns.items() if c[0] in held[0] and c[0] in held[1]}
    if not columns:
        return {}
    tests = []
    for name, (curator, _) in columns.items():
        a, b = (f"CAST({side}.{quoted(curator)}.{quoted(name)} AS DOUBLE)" for side in "ab")
        tests += [f"count(*) FILTER ({a} IS DISTINCT FROM {b})", f"avg({b} - {a}) FILTER ({a} <> {b})"]
    values = db.execute(f"SELECT {', '.join(tests)} FROM own_a a JOIN own_b b USING (clip)").fetchall()[0]
    return {name: (values[2 * i], values[2 * i + 1]) for i, name in enumerate(columns)}


def _hours(db: duckdb.DuckDBPyConnection, top: int) -> list[HoursShift]:
    found = []
    for by in GROUPED_BY:
        rows = db.execute(
            f"""SELECT v, coalesce(sum(s) FILTER (side = 'a'), 0) / 3600 AS a,
                coalesce(sum(s) FILTER (side = 'b'), 0) / 3600 AS b
            FROM (SELECT {by} AS v, duration_s AS s, 'a' AS side FROM all_a WHERE status = 'kept'
                UNION ALL SELECT {by}, duration_s, 'b' FROM all_b WHERE status = 'kept')
            GROUP BY v ORDER BY abs(b - a) DESC, b DESC, v NULLS LAST LIMIT {int(top)}"""
        ).fetchall()
        found += [HoursShift(by, value, round(a, 6), round(b, 6)) for value, a, b in rows]
    return found


def _counts(old: VersionDocument, new: VersionDocument) -> dict[str, tuple[int, int]]:
    a, b = old.counts.model_dump(), new.counts.model_dump()
    return {name: (a[name], b[name]) for name in b}


def schema_changes(old: VersionDocument, new: VersionDocument) -> Iterator[str]:
    """Lines about curators, representations and code, in a stable order."""
    for kind, a, b in (
        ("curator", old.curators, new.curators),
        ("representation", old.representations, new.representations),
    ):
        for name in sorted(a.keys() | b.keys()):
            if name not in b:
                yield f"{kind} {name} is gone"
            elif name not in a:
                yield f"{kind} {name} is new"
    for name in sorted(old.curators.keys() & new.curators.keys()):
        x, y = old.curators[name], new.curators[name]
        if x.fingerprint != y.fingerprint:
            lines = list(changes({"version": x.version, **x.parameters}, {"version": y.version, **y.parameters}))
            yield f"curator {name} changed: {'; '.join(lines) or 'its weights'}"
        columns = {c["name"] for c in x.columns}, {c["name"] for c in y.columns}
        for column in sorted(columns[0] ^ columns[1]):
            yield f"score {column} of {name} is {'new' if column in columns[1] else 'gone'}"
    for name in sorted(old.representations.keys() & new.representations.keys()):
        x, y = old.representations[name].spec, new.representations[name].spec
        if x.fingerprint != y.fingerprint:
            lines = list(changes(x.details, y.details))
            yield f"representation {name} was made anew: {'; '.join(lines) or 'another fingerprint'}"
    for line in changes(old.code, new.code):
        yield f"code {line}"


def changes(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """Lines `keep[0].min: 10 → 12` for every leaf that differs."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from changes(old.get(key), new.get(key), f"{at}.{key}" if at else str(key))
    elif isinstance(old, list) and isinstance(new, list):
        for i in range(max(len(old), len(new))):
            yield from changes(old[i] if i < len(old) else None, new[i] if i < len(new) else None, f"{at}[{i}]")
    elif old != new:
        yield f"{at}: {_shown(old)} → {_shown(new)}"


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def _tally(db: duckdb.DuckDBPyConnection, query: str) -> dict[str, int]:
    rows = db.execute(f"SELECT v, count(*) AS n FROM ({query}) t(v) GROUP BY v ORDER BY n DESC, v").fetchall()
    return dict(rows)


def _one(db: duckdb.DuckDBPyConnection, query: str) -> Any:
    return db.execute(query).fetchall()[0][0]
