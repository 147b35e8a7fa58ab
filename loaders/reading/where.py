"""Filters that a user writes (`filters`), applied to the clip table as Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from ...schemas.errors import ConfigError, MissingExtraError
from ...schemas.sql import quoted
from .filters import FilterError, compile_filter, filter_columns, require_boolean

if TYPE_CHECKING:
    import duckdb


class Where:
    """A filter expression over the clip table with `schema`.

    Raises `ConfigError` for an expression that is not one boolean test of a clip, `MissingExtraError` without DuckDB.
    """

    def __init__(self, expression: str, schema: pa.Schema) -> None:
        self.expression, self._schema = expression, schema
        self._db = _connection()
        try:
            self._filter = compile_filter(expression, filter_columns(schema))
        except FilterError as error:
            raise self._refused(str(error)) from error
        self.columns: tuple[str, ...] = tuple(dict.fromkeys(used.column for used in self._filter.used))
        """Columns of the clip table that the expression reads."""
        # refuse types that do not fit before any part is read
        self.mask(schema.empty_table())

    def mask(self, table: pa.Table) -> pa.ChunkedArray:
        """Boolean per row of `table`: the expression holds; null counts as false, an absent column is null."""
        for name in self.columns:
            if name not in table.column_names:
                field = self._schema.field(name)
                table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        flat = [f"{used.sql} AS {quoted(used.name)}" for used in self._filter.used] or ["1"]
        self._db.register("clips_read", table.select(list(self.columns) or table.column_names[:1]))
        try:
            found = self._db.sql(
                f"SELECT {self._filter.sql} AS hit FROM (SELECT {', '.join(flat)} FROM clips_read) AS clips"
            )
            require_boolean(found.types[0])
            return found.select("coalesce(hit, FALSE) AS hit").to_arrow_table()["hit"]
        except Exception as error:
            raise self._refused(str(error).strip().split("\n", 1)[0]) from error
        finally:
            self._db.unregister("clips_read")

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
