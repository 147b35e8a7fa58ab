"""Names and values as SQL text for DuckDB. Text only: nothing here loads DuckDB."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike


def quoted(name: str) -> str:
    """`name` as an SQL identifier, whatever characters it holds."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | PathLike[str]) -> str:
    """`text` as an SQL string."""
    return "'" + str(text).replace("'", "''") + "'"


def listed(texts: Iterable[str | PathLike[str]]) -> str:
    """`texts` as an SQL list of strings, `CAST([] AS VARCHAR[])` for none."""
    found = ", ".join(map(literal, texts))
    return f"[{found}]" if found else "CAST([] AS VARCHAR[])"


def parquet(files: Iterable[str | PathLike[str]], filename: str = "") -> str:
    """SQL of the rows of Parquet files, columns matched by name; DuckDB takes no empty list of files.

    filename: name of a further column with each row's file; "" for none.
    """
    named = f", filename = {literal(filename)}" if filename else ""
    return f"read_parquet({listed(files)}, union_by_name = true{named})"
