"""The language of filters: a SQL condition over one clip's columns, `tier = 'gold' and snr_db > 20`.

One language for `--where`, exports, takedowns and the explorer. DuckDB parses the text; this module walks the tree,
takes only what it knows (comparisons, logic, arithmetic, a few functions on columns that exist), and writes the SQL
anew from the tree. Nothing of the user's text reaches the engine except numbers and quoted strings, so that a filter
reads no file, no other table and no clock. Engines that strangers reach have their own locks as a second layer: DuckDB
says itself that untrusted SQL is unsafe by design.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ...schemas.errors import MissingExtraError
from ...schemas.score import PROVENANCE
from ...schemas.sql import literal, quoted
from ...schemas.tables import POINTER

if TYPE_CHECKING:
    import duckdb

MAX_DEPTH = 40
COMPARISONS = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_DISTINCT_FROM": "IS DISTINCT FROM",
    "COMPARE_NOT_DISTINCT_FROM": "IS NOT DISTINCT FROM",
}
INFIX = {sign: sign for sign in "+-*/%"} | {"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE"}
FUNCTIONS = {
    "abs": 1, "round": 1, "floor": 1, "ceil": 1, "sqrt": 1, "ln": 1, "log10": 1, "isnan": 1, "isfinite": 1,
    "lower": 1, "upper": 1, "length": 1, "len": 1, "trim": 1, "strip_accents": 1,
    "contains": 2, "starts_with": 2, "ends_with": 2, "list_contains": 2, "regexp_matches": 2, "regexp_extract": 2,
    "nullif": 2, "coalesce": 2, "left": 2, "right": 2, "substr": 3, "substring": 3, "split_part": 3,
}  # fmt: skip
"""Function -> number of arguments. None reads a file, a setting or the clock, or makes more rows or long values."""
TYPES = {"INTEGER", "BIGINT", "DOUBLE", "FLOAT", "VARCHAR", "BOOLEAN"}
_NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class FilterError(ValueError):
    """The expression is not one that filters may use; the message is for its author."""


@dataclass(frozen=True)
class FilterColumn:
    """A column that filters may name: `snr_db`, `snr.snr_db`."""

    name: str
    """Unique, and its name in the flat table that a filter's SQL is for."""
    column: str
    """The column of the clip table that holds it."""
    child: str = ""
    """The field of the struct `column`; "" for a plain column."""

    @property
    def of_provenance(self) -> bool:
        """Whether it says where a curator's scores come from, and is none of them: left out where names are listed."""
        return self.child in PROVENANCE

    @property
    def sql(self) -> str:
        """The value in the clip table as it is stored."""
        return f"{quoted(self.column)}.{quoted(self.child)}" if self.child else quoted(self.column)


def filter_columns(schema: pa.Schema) -> list[FilterColumn]:
    """What filters may name of a clip table: its plain columns, every score by its own name, and of each curator
    `<curator>_reason`, `<curator>_fingerprint` and `<curator>_inputs`."""
    found: dict[str, FilterColumn] = {}
    for field in schema:
        if not pa.types.is_struct(field.type):
            found[field.name] = FilterColumn(field.name, field.name)
    for field in schema:
        names = [child.name for child in field.type.fields] if pa.types.is_struct(field.type) else []
        if not set(POINTER.names) <= set(names):
            for child in names:
                name = f"{field.name}_{child}" if child in PROVENANCE else child
                found.setdefault(name, FilterColumn(name, field.name, child))
    return list(found.values())


@dataclass(frozen=True)
class Filter:
    """A condition that was understood."""

    sql: str
    """Over a flat table that has the columns by their names."""
    used: tuple[FilterColumn, ...]
    """The columns that it reads, each once."""


def compile_filter(text: str, columns: Iterable[FilterColumn]) -> Filter:
    """The condition `text` over `columns`. Names count alike in small and capital letters.

    Raises `FilterError` naming what is not allowed, `MissingExtraError` without DuckDB.
    """
    if any(not (c.isprintable() or c in "\n\r\t") for c in text):
        raise FilterError("the expression holds characters that do not print")
    writer = _Writer(columns)
    return Filter(writer.condition(_where(text), 0), tuple(dict.fromkeys(writer.used)))


def require_boolean(kind: object) -> None:
    """Refuse a condition whose DuckDB type is another: neither engine guesses what a number or a text means."""
    if str(kind) != "BOOLEAN":
        raise FilterError(f"it gives a {kind}, not true or false")


def _where(text: str) -> Mapping[str, Any]:
    """The tree of the condition, after making sure that it is a condition and nothing beside it."""
    query = f"SELECT 1 FROM clips WHERE (\n{text}\n)"
    with _parser().cursor() as cursor:
        row = cursor.execute("SELECT json_serialize_sql(?::VARCHAR, skip_null := true)", [query]).fetchone()
    try:
        found: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    except RecursionError as error:
        raise FilterError(f"the expression nests deeper than {MAX_DEPTH}") from error
    if found.get("error"):
        raise FilterError(f"not understood: {found.get('error_message', 'no message')}")
    statements = found["statements"]
    node = statements[0]["node"] if len(statements) == 1 else {}
    table = node.get("from_table") or {}
    plain = (
        node.get("type") == "SELECT_NODE"
        and table.get("type") == "BASE_TABLE"
        and table.get("table_name") == "clips"
        and node.get("aggregate_handling") == "STANDARD_HANDLING"
        and [s.get("class") for s in node.get("select_list", ())] == ["CONSTANT"]
        and not any(_filled(node.get(key)) for key in ("modifiers", "cte_map", "group_expressions", "group_sets"))
        and not any(_filled(node.get(key)) for key in ("having", "qualify", "sample"))
    )
    if not plain or not isinstance(node.get("where_clause"), Mapping):
        raise FilterError("it must be a single condition, such as snr_db > 20 and language = 'en'")
    return node["where_clause"]


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """An engine that holds nothing and reaches nothing; it only parses."""
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise MissingExtraError("a filter", "curate", "duckdb") from error
    return duckdb.connect(config={"enable_external_access": "false", "threads": "1", "lock_configuration": "true"})


def _filled(value: Any) -> bool:
    """Whether a part of the tree holds anything; empty maps inside maps are nothing."""
    if isinstance(value, Mapping):
        return any(_filled(v) for v in value.values())
    return bool(value)


class _Writer:
    def __init__(self, columns: Iterable[FilterColumn]) -> None:
        self._columns = {column.name.lower(): column for column in columns}
        self.used: list[FilterColumn] = []

    def condition(self, node: Mapping[str, Any], depth: int) -> str:
        if depth > MAX_DEPTH:
            raise FilterError(f"the expression nests deeper than {MAX_DEPTH}")
        writers: dict[str, Callable[[Mapping[str, Any], int], str]] = {
            "COLUMN_REF": self._column,
            "CONSTANT": self._constant,
            "COMPARISON": self._comparison,
            "CONJUNCTION": self._conjunction,
            "BETWEEN": self._between,
            "OPERATOR": self._operator,
            "FUNCTION": self._function,
            "CASE": self._case,
            "CAST": self._cast,
        }
        kind = str(node.get("class"))
        if kind not in writers:
            raise FilterError(f"{kind.lower().replace('_', ' ')} is not allowed in a filter")
        return writers[kind](node, depth + 1)

    def _column(self, node: Mapping[str, Any], _: int) -> str:
        path = [str(name) for name in node.get("column_names") or ()]
        found = self._named([name.lower() for name in path])
        if found is None:
            names = sorted(column.name for column in self._columns.values())
            near = difflib.get_close_matches(path[-1] if path else "", names, n=3)
            listed = sorted(column.name for column in self._columns.values() if not column.of_provenance)
            hint = f"close: {', '.join(near)}" if near else f"columns: {', '.join(listed)}"
            raise FilterError(f"there is no column {'.'.join(path)!r}; {hint}")
        self.used.append(found)
        return quoted(found.name)

    def _named(self, path: Sequence[str]) -> FilterColumn | None:
        """`snr_db`, `snr.snr_db`, `snr.reason` and `clips.tier`; score names are unique over curators."""
        *before, name = path or [""]
        if before in ([], ["clips"]):
            return self._columns.get(name)
        found = self._columns.get(name) if name not in PROVENANCE else self._columns.get("_".join(path))
        return found if found is not None and [found.column.lower()] == before and found.child else None

    def _constant(self, node: Mapping[str, Any], _: int) -> str:
        given = node.get("literal") or {}
        kind, text = given.get("kind"), str(given.get("text", ""))
        if kind in ("INTEGER", "NUMERIC") and _NUMBER.fullmatch(text):
            return text
        if kind == "STRING":
            return literal(text)
        if kind == "BOOLEAN" and text in ("true", "false"):
            return text
        raise FilterError(f"a constant {text!r} of kind {kind} is not allowed; use a number, 'text', true or false")

    def _comparison(self, node: Mapping[str, Any], depth: int) -> str:
        sign = COMPARISONS.get(str(node.get("type")))
        if sign is None:
            raise FilterError(f"{node.get('type')} is not allowed")
        return f"({self.condition(node['left'], depth)} {sign} {self.condition(node['right'], depth)})"

    def _conjunction(self, node: Mapping[str, Any], depth: int) -> str:
        word = " AND " if node.get("type") == "CONJUNCTION_AND" else " OR "
        return f"({word.join(self._all(node['children'], depth))})"

    def _between(self, node: Mapping[str, Any], depth: int) -> str:
        value, low, high = (self.condition(node[key], depth) for key in ("input", "lower", "upper"))
        return f"({value} BETWEEN {low} AND {high})"

    def _operator(self, node: Mapping[str, Any], depth: int) -> str:
        kind, children = node.get("type"), self._all(node.get("children", ()), depth)
        if kind == "OPERATOR_NOT":
            return f"(NOT {children[0]})"
        if kind == "OPERATOR_IS_NULL":
            return f"({children[0]} IS NULL)"
        if kind == "OPERATOR_IS_NOT_NULL":
            return f"({children[0]} IS NOT NULL)"
        if kind == "COMPARE_IN":
            return f"({children[0]} IN ({', '.join(children[1:])}))"
        if kind == "OPERATOR_COALESCE":
            return f"coalesce({', '.join(children)})"
        if kind == "ARRAY_EXTRACT":
            return f"({children[0]}[{children[1]}])"
        raise FilterError(f"{str(kind).lower().replace('_', ' ')} is not allowed")

    def _function(self, node: Mapping[str, Any], depth: int) -> str:
        name = str(node.get("function_name"))
        path = (node.get("qualified_name") or {}).get("path", [name])
        odd = node.get("distinct") or node.get("filter") or node.get("export_state") or len(path) != 1
        if odd or _filled((node.get("order_bys") or {}).get("orders")):
            raise FilterError(f"{name}: only plain calls are allowed")
        arguments = self._all([a["expression"] for a in node.get("arguments", ())], depth)
        if name in INFIX and len(arguments) == 2:
            return f"({arguments[0]} {INFIX[name]} {arguments[1]})"
        if name == "-" and len(arguments) == 1:
            return f"(- {arguments[0]})"
        if FUNCTIONS.get(name) != len(arguments):
            known = ", ".join(FUNCTIONS)
            raise FilterError(f"the function {name} with {len(arguments)} arguments is not allowed; there are: {known}")
        return f"{name}({', '.join(arguments)})"

    def _case(self, node: Mapping[str, Any], depth: int) -> str:
        checks = [(c["when_expr"], c["then_expr"]) for c in node.get("case_checks") or ()]
        whens = [f"WHEN {self.condition(when, depth)} THEN {self.condition(then, depth)}" for when, then in checks]
        otherwise = node["else_expr"]
        absent = otherwise.get("class") == "CONSTANT" and (otherwise.get("literal") or {}).get("kind") == "NULL_LITERAL"
        rest = "" if absent else f" ELSE {self.condition(otherwise, depth)}"
        return f"(CASE {' '.join(whens)}{rest} END)"

    def _cast(self, node: Mapping[str, Any], depth: int) -> str:
        kind = node.get("type_expr") or {}
        name = str(kind.get("type_name")).upper()
        if name not in TYPES or _filled(kind.get("children")):
            raise FilterError(f"a cast to {name} is not allowed; there are {', '.join(sorted(TYPES))}")
        return f"TRY_CAST({self.condition(node['child'], depth)} AS {name})"

    def _all(self, nodes: Sequence[Mapping[str, Any]], depth: int) -> list[str]:
        return [self.condition(node, depth) for node in nodes]
