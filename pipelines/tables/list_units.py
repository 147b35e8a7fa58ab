"""Archives as items of the list pass: those without a receipt in a table of units, and what receipts say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from ...loaders.storage.store import Store
from ..listing.contents import Contents, Wanted
from ..listing.list_pass import ITEMS, ListRecipe, contents_of, item
from ..work.work_units import receipt_files
from .state import State

ROWS_AT_ONCE = 16
"""Receipt rows held together: one may have a million members."""


def plan_listing(state: State, store: Store, runs: Sequence[str], recipe: ListRecipe, wanted: Sequence[Wanted]) -> str:
    """Make a table of items of the archives that have no receipt yet; gives its name."""
    state.receipts("list_receipts", receipt_files(store, runs, recipe), recipe.schema)
    state.table("archives_wanted", pa.Table.from_pylist(list(map(item, wanted)), ITEMS))
    state.sql(
        """CREATE OR REPLACE TABLE archive_items AS
        SELECT CAST(0 AS BIGINT) AS unit, row_number() OVER (ORDER BY uri) AS place, *
        FROM (SELECT DISTINCT * FROM archives_wanted) ANTI JOIN list_receipts USING (key)"""
    )
    return "archive_items"


def listed_by_units(
    state: State, store: Store, runs: Sequence[str], recipe: ListRecipe, wanted: Sequence[Wanted]
) -> Iterator[tuple[int, Contents]]:
    """What the receipts say of the archives, after the units."""
    state.receipts("list_receipts", receipt_files(store, runs, recipe), recipe.schema)
    places: dict[str, list[int]] = {}
    for place, each in enumerate(wanted):
        places.setdefault(each.key, []).append(place)
    # one whose listing failed and then did not counts as listed
    query = """SELECT * EXCLUDE (part_file) FROM list_receipts SEMI JOIN (
        SELECT key, arg_min(part_file, (error_reason IS NOT NULL, part_file)) AS part_file
        FROM list_receipts GROUP BY key) USING (key, part_file)"""
    for batch in state.stream(query, ROWS_AT_ONCE):
        for row in batch.to_pylist():
            for place in places.get(row["key"], ()):
                yield place, contents_of(row, wanted[place].uri)
