"""Filter expressions that a visitor types, turned into SQL that can do nothing but filter.

DuckDB parses the text; this module walks the tree, takes only what it knows (comparisons, logic, arithmetic, a few
functions on columns that exist), and writes the SQL anew from the tree. Nothing of the visitor's text reaches the
engine except numbers and quoted strings. The engine's own locks (`tables.ClipTable`) are the second layer: DuckDB says
itself that untrusted SQL is unsafe by design.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any

import duckdb

MAX_CHARACTERS = 2000
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
    "abs": 1, "round": 1, "floor": 1, "ceil": 1, "sqrt": 1, "ln": 1, "isnan": 1, "isfinite": 1,
    "lower": 1, "upper": 1, "length": 1, "len": 1, "trim": 1,
    "contains": 2, "starts_with": 2, "ends_with": 2, "list_contains": 2, "regexp_matches": 2, "coalesce": 2,
}  # fmt: skip
"""Function -> number of arguments. None reads a file, a setting or the clock, or makes more rows or long values."""
TYPES = {"INTEGER", "BIGINT", "DOUBLE", "FLOAT", "VARCHAR", "BOOLEAN"}
_NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class FilterError(ValueError):
    """The expression is not one that filters may use; the message is for the visitor."""


def compile_filter(text: str, columns: Collection[str]) -> str:
    """SQL of the condition `text` over `columns`, "true" for a blank text.

    Raises `FilterError` naming what is not allowed.
    """
    if not text.strip():
        return "true"
    if len(text) > MAX_CHARACTERS:
        raise FilterError(f"the expression has {len(text)} characters; at most {MAX_CHARACTERS} are allowed")
    if not text.isprintable():
        raise FilterError("the expression holds characters that do not print")
    return _Writer(columns).condition(_where(text), 0)


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
        raise FilterError("only one condition is allowed, nothing beside it")
    return node["where_clause"]


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """An engine that holds nothing and reaches nothing; it only parses."""
    return duckdb.connect(config={"enable_external_access": "false", "threads": "1", "lock_configuration": "true"})


def _filled(value: Any) -> bool:
    """Whether a part of the tree holds anything; empty maps inside maps are nothing."""
    if isinstance(value, Mapping):
        return any(_filled(v) for v in value.values())
    return bool(value)


class _Writer:
    def __init__(self, columns: Collection[str]) -> None:
        self._columns = columns

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
            "CAST": self._cast,
        }
        kind = str(node.get("class"))
        if kind not in writers:
            raise FilterError(f"{kind.lower().replace('_', ' ')} is not allowed in a filter")
        return writers[kind](node, depth + 1)

    def _column(self, node: Mapping[str, Any], _: int) -> str:
        names = node.get("column_names") or []
        name = str(names[-1]) if names else ""
        # snr.snr_db is understood as snr_db: score names are unique over curators
        if len(names) > 2 or name not in self._columns:
            close = ", ".join(c for c in sorted(self._columns) if name and name[:4] in c) or "see the glossary"
            raise FilterError(f"there is no column {'.'.join(map(str, names))!r}; {close}")
        return '"' + name.replace('"', '""') + '"'

    def _constant(self, node: Mapping[str, Any], _: int) -> str:
        literal = node.get("literal") or {}
        kind, text = literal.get("kind"), str(literal.get("text", ""))
        if kind in ("INTEGER", "NUMERIC") and _NUMBER.fullmatch(text):
            return text
        if kind == "STRING":
            return "'" + text.replace("'", "''") + "'"
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

    def _cast(self, node: Mapping[str, Any], depth: int) -> str:
        kind = node.get("type_expr") or {}
        name = str(kind.get("type_name")).upper()
        if name not in TYPES or _filled(kind.get("children")):
            raise FilterError(f"a cast to {name} is not allowed; there are {', '.join(sorted(TYPES))}")
        return f"TRY_CAST({self.condition(node['child'], depth)} AS {name})"

    def _all(self, nodes: Sequence[Mapping[str, Any]], depth: int) -> list[str]:
        return [self.condition(node, depth) for node in nodes]
