"""One version's clip table for browsing: a locked DuckDB over its parts, paged by key."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ...loaders.reading.filters import FilterColumn, FilterError, compile_filter, filter_columns, require_boolean
from ...loaders.storage.engine import view_parts
from ...schemas.sql import listed, quoted

TIME_LIMIT_S = 30.0
MAX_CHARACTERS = 2000
"""Of a filter that a visitor types."""
MEMORY = "2GB"
SORTABLE = {"FLOAT", "DOUBLE", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BOOLEAN", "VARCHAR"}


class QueryError(ValueError):
    """A query that cannot be answered: it compares a text with a number, or ran into the time limit."""


@dataclass(frozen=True)
class Page:
    """Some rows of a list, and where the next ones start."""

    rows: list[dict[str, Any]]
    after: str | None
    """Cursor of the next page; None on the last."""


class ClipTable:
    """The flat clip table of one version: core columns, every score column, `<curator>_reason`. Thread-safe.

    The engine reads these parts and no other file, loads no extension, keeps its settings locked and its memory
    bounded; every query is interrupted after `TIME_LIMIT_S`. Lists page by (sort value, key), never by offset, whose
    cost grows with how far one has read.
    """

    def __init__(self, parts: Sequence[Path], before: Sequence[Path] = ()) -> None:
        """before: parts of another version, opened as `clips_before` for comparisons."""
        config = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "memory_limit": MEMORY}
        self._connection = duckdb.connect(config={**config, "threads": "2", "temp_directory": ""})
        self._connection.execute(f"SET allowed_paths = {listed(Path(p).resolve() for p in [*parts, *before])}")
        self._named = self._view("clips", parts)
        self.columns = self._shown()
        if before:
            self._view("clips_before", before)
        self._connection.execute("SET enable_external_access = false; SET lock_configuration = true")

    def _view(self, name: str, parts: Sequence[Path]) -> list[FilterColumn]:
        source = f"{name}_nested"
        view_parts(self._connection, source, [Path(p).resolve() for p in parts])
        nested = self._connection.sql(f"FROM {source} LIMIT 0").to_arrow_table().schema
        columns = filter_columns(nested)
        selected = ", ".join(f"{column.sql} AS {quoted(column.name)}" for column in columns)
        self._connection.execute(f"CREATE VIEW {name} AS SELECT {selected} FROM {source}")
        return columns

    def _shown(self) -> dict[str, str]:
        """Column -> type of what pages show and export: neither binary columns nor where scores came from."""
        described = self._connection.execute("SELECT * FROM clips LIMIT 0").description or []
        origins = {column.name for column in self._named if column.child in ("fingerprint", "inputs")}
        kinds = {column: str(kind) for column, kind, *_ in described}
        return {column: kind for column, kind in kinds.items() if kind != "BLOB" and column not in origins}

    def _condition(self, text: str) -> str:
        if not text.strip():
            return "true"
        if len(text) > MAX_CHARACTERS:
            raise FilterError(f"the expression has {len(text)} characters; at most {MAX_CHARACTERS} are allowed")
        condition = compile_filter(text, self._named).sql
        with self._cursor() as cursor:
            described = cursor.execute(f"SELECT {condition} FROM clips LIMIT 0").description or []
        require_boolean(described[0][1])
        return condition

    def count(self, where: str) -> int:
        """Clips that satisfy a filter expression. Raises `FilterError`, `QueryError`."""
        return self.query(f"SELECT count(*) FROM clips WHERE {self._condition(where)}")[0][0]

    def page(
        self, where: str, sort: str, descending: bool, after: str | None, limit: int, columns: Sequence[str]
    ) -> Page:
        """`limit` rows after a cursor, ordered by (`sort`, clip), nulls last.

        Raises `FilterError` or `QueryError` for an expression, `ValueError` for a column or cursor that does not exist.
        """
        if SORTABLE.isdisjoint({self.columns.get(sort, "")}):
            raise ValueError(f"cannot sort by {sort!r}")
        key, way = quoted(sort), ("DESC" if descending else "ASC")
        condition, values = self._condition(where), []
        if after:
            follows, values = _following(key, descending, _cursor(after))
            condition = f"({condition}) AND ({follows})"
        wanted = list(dict.fromkeys([*columns, "clip", sort]))
        rows = self.query(
            f"SELECT {', '.join(map(quoted, wanted))} FROM clips WHERE {condition} "
            f"ORDER BY {key} {way} NULLS LAST, clip LIMIT {int(limit) + 1}",
            values,
        )
        found = [dict(zip(wanted, row, strict=True)) for row in rows[:limit]]
        last = found[-1] if len(rows) > limit else None
        return Page(found, _token(last[sort], last["clip"]) if last else None)

    def clip(self, key: str) -> dict[str, Any] | None:
        """The row of one clip."""
        rows = self.query(f"SELECT {', '.join(map(quoted, self.columns))} FROM clips WHERE clip = ?", [key])
        return dict(zip(self.columns, rows[0], strict=True)) if rows else None

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query of ours, within the time limit."""
        with self._cursor() as cursor:
            return cursor.execute(sql, list(values)).fetchall()

    def stream(self, where: str, columns: Sequence[str], limit: int) -> Iterator[tuple[Any, ...]]:
        """Rows in key order, some at a time; the time limit holds for all of them together."""
        names = ", ".join(map(quoted, columns))
        with self._cursor() as cursor:
            condition = self._condition(where)
            cursor.execute(f"SELECT {names} FROM clips WHERE {condition} ORDER BY clip LIMIT {int(limit)}")
            while rows := cursor.fetchmany(1000):
                yield from rows

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self._connection.cursor()
        timer = threading.Timer(TIME_LIMIT_S, cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield cursor
        except duckdb.InterruptException as error:
            raise QueryError(f"the query was stopped after {TIME_LIMIT_S:g} s; narrow it down") from error
        except duckdb.Error as error:
            raise QueryError(str(error).split("\n", 1)[0]) from error
        finally:
            timer.cancel()
            cursor.close()

    def close(self) -> None:
        """Release the files."""
        self._connection.close()


def _following(key: str, descending: bool, cursor: tuple[Any, str]) -> tuple[str, list[Any]]:
    value, clip = cursor
    if value is None:
        return f"{key} IS NULL AND clip > ?", [clip]
    return f"{key} {'<' if descending else '>'} ? OR ({key} = ? AND clip > ?) OR {key} IS NULL", [value, value, clip]


def _token(value: Any, clip: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([value, clip]).encode()).decode().rstrip("=")


def _cursor(token: str) -> tuple[Any, str]:
    try:
        value, clip = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError) as error:
        raise ValueError("the page address is damaged; start from the first page") from error
    if not isinstance(clip, str) or not (value is None or isinstance(value, str | int | float | bool)):
        raise ValueError("the page address is damaged; start from the first page")
    return value, clip
