"""Filters that a user writes: a SQL expression over one clip's columns, `tier = 'gold' and language = 'en'`.

Core columns of the clip table and score columns go by their own names; `snr.reason` reaches into a curator's struct.
The expression is parsed first: it may hold comparisons, arithmetic and deterministic functions of one row, and
nothing that reads files, other tables or the clock.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ...schemas.errors import ConfigError, MissingExtraError
from ...schemas.tables import POINTER

if TYPE_CHECKING:
    import duckdb

FORBIDDEN = {"SUBQUERY": "a subquery", "WINDOW": "a window function", "PARAMETER": "a parameter", "STAR": "*"}


class Where:
    """A parsed filter expression over the clip table with `schema`.

    Raises `ConfigError` for an expression that is not one boolean test of a clip, `MissingExtraError` without DuckDB.
    """

    def __init__(self, expression: str, schema: pa.Schema) -> None:
        self.expression, self._schema = expression, schema
        self._db = _connection()
        self._names = _names(schema)
        used = dict.fromkeys(self._column(path) for path in _columns(self._parse()))
        self.columns: tuple[str, ...] = tuple(used)
        """Columns of the clip table that the expression reads."""
        self._bind(schema)

    def mask(self, table: pa.Table) -> pa.ChunkedArray:
        """Boolean per row of `table`: the expression holds; null counts as false, an absent column is null."""
        for name in self.columns:
            if name not in table.column_names:
                field = self._schema.field(name)
                table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        return self._evaluate(table.select(list(self.columns) or table.column_names[:1]))

    def _evaluate(self, table: pa.Table) -> pa.ChunkedArray:
        self._db.register("clips_read", table)
        flat = [
            f"{_quoted(struct)}.{_quoted(name)} AS {_quoted(name)}"
            for name, struct in self._names.items()
            if struct != name and struct in table.column_names
        ]
        query = (
            f"SELECT coalesce(CAST((\n{self.expression}\n) AS BOOLEAN), FALSE) AS hit "
            f"FROM (SELECT {', '.join(['*', *flat])} FROM clips_read) AS clips"
        )
        try:
            return self._db.sql(query).to_arrow_table()["hit"]
        except Exception as error:
            raise self._refused(_first_line(error)) from error
        finally:
            self._db.unregister("clips_read")

    def _bind(self, schema: pa.Schema) -> None:
        """Refuse types that do not fit before any part is read."""
        self.mask(schema.empty_table())

    def _parse(self) -> dict[str, Any]:
        # the newline keeps a trailing comment from swallowing the bracket
        text = f"SELECT 1 FROM clips WHERE (\n{self.expression}\n)"
        rows = self._db.execute("SELECT json_serialize_sql(?)", [text]).fetchall()
        tree = json.loads(rows[0][0])
        if tree["error"]:
            raise self._refused(str(tree.get("error_message", "")).split("\n", 1)[0])
        statements = tree["statements"]
        node = statements[0]["node"] if len(statements) == 1 else {}
        extra = any(node.get(k) for k in ("modifiers", "group_expressions", "having", "qualify", "sample"))
        if node.get("type") != "SELECT_NODE" or extra or not node.get("where_clause"):
            raise self._refused("it must be one boolean expression, such as snr_db > 20 and language = 'en'")
        for part in _walk(node["where_clause"]):
            if part.get("class") in FORBIDDEN:
                raise self._refused(f"it holds {FORBIDDEN[part['class']]}, and may only test one clip at a time")
            if part.get("class") == "FUNCTION" and part["function_name"].lower() not in self._functions:
                raise self._refused(f"the function {part['function_name']!r} is unknown or not the same every time")
        return node["where_clause"]

    @cached_property
    def _functions(self) -> set[str]:
        """Scalar functions of the row alone; operators count as functions in the parsed form."""
        query = """SELECT function_name FROM duckdb_functions() WHERE function_type IN ('scalar', 'macro')
            GROUP BY function_name HAVING bool_and(coalesce(stability, 'CONSISTENT') = 'CONSISTENT')"""
        return {row[0].lower() for row in self._db.execute(query).fetchall()} - {"getenv", "error", "current_setting"}

    def _column(self, path: list[str]) -> str:
        """The column of the table that a reference reads."""
        name = path[0]
        lower = {known.lower(): struct for known, struct in self._names.items()}
        if name.lower() in lower:
            return lower[name.lower()]
        near = difflib.get_close_matches(name, self._names, n=3)
        raise self._refused(f"no column {name!r}; " + (f"close: {', '.join(near)}" if near else _list(self._names)))

    def _refused(self, why: str) -> ConfigError:
        return ConfigError(f"the filter {self.expression!r} cannot be used: {why}")


def _connection() -> duckdb.DuckDBPyConnection:
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise MissingExtraError("--where", "curate", "duckdb") from error
    return duckdb.connect(
        config={
            "enable_external_access": "false",
            "python_enable_replacements": "false",
            "threads": "1",
            "lock_configuration": "true",
        }
    )


def _names(schema: pa.Schema) -> dict[str, str]:
    """Every name that an expression may use, to the column of the table that holds it."""
    names: dict[str, str] = {}
    for column in schema:
        if column.type.equals(POINTER):
            continue
        names[column.name] = column.name
    for column in schema:
        if pa.types.is_struct(column.type) and not column.type.equals(POINTER):
            for child in column.type.fields:
                # every curator has these; they need the curator's name in front
                if child.name not in ("fingerprint", "inputs", "reason"):
                    names.setdefault(child.name, column.name)
    return names


def _columns(node: Any) -> Iterator[list[str]]:
    for part in _walk(node):
        if part.get("class") == "COLUMN_REF":
            yield part["column_names"]


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _list(names: dict[str, str]) -> str:
    return "columns: " + ", ".join(sorted(names))


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
