"""The working tables are what their declarations say: of a real run, without Ray."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_corpus
from inprocess import without_ray

from auricle import pipelines
from auricle.pipelines import run as job
from auricle.pipelines.tables.declarations import TABLES, WorkingTable
from auricle.pipelines.tables.state import State

FOLDER = Path(pipelines.__file__).parent
IDS = [table.name for table in TABLES]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """Table -> column -> type, when a second night's version is composed."""
    root = tmp_path_factory.mktemp("corpus")
    with pytest.MonkeyPatch.context() as patch:
        without_ray(patch)
        build, found = job.build, {}

        def looked(this: job.Run, state: State, *more: Any) -> Any:
            candidate = build(this, state, *more)
            found.clear()
            for name, column, kind in state.sql(
                "SELECT table_name, column_name, data_type FROM information_schema.columns"
            ).fetchall():
                found.setdefault(name, {})[column] = kind
            return candidate

        patch.setattr(job, "build", looked)
        keep = [{"score": "loudness_db", "min": -60, "reason": "quiet"}]
        tiers = [{"name": "loud", "when": [{"score": "loudness_db", "min": -20}]}, {"name": "rest"}]
        for count in (2, 4):
            write_corpus(root / "audio", count)
            job.run(config(root / "audio", root / "data", keep=keep, tiers=tiers))
        yield found


def real_names(name: str) -> list[str]:
    """The tables of this run that a declared name stands for."""
    return {
        "known_<curator>": ["known_loudness", "known_words"],
        "known_<representation>": ["known_cheap-codes-100hz"],
        "final_<representation>": ["final_cheap-codes-100hz"],
    }.get(name, [name])


@pytest.mark.parametrize("table", TABLES, ids=IDS)
def test_a_declared_table_has_its_columns_in_a_real_run(table: WorkingTable, tables: dict[str, dict[str, str]]) -> None:
    for name in real_names(table.name):
        columns = tables[name]
        kinds = {column: columns.get(column, "absent") for column in table.columns}
        assert {c: "struct" if k.startswith("STRUCT") else k for c, k in kinds.items()} == dict(table.columns), name


@pytest.mark.parametrize("table", TABLES, ids=IDS)
def test_who_writes_and_who_reads_a_table_names_it(table: WorkingTable) -> None:
    function = {"known_": r"\bknown\(", "final_": r"\bfinal\("}
    mark = function.get(table.name.partition("<")[0], rf"\b{table.name}\b")
    for file in (table.written_by, *table.read_by):
        assert re.search(mark, (FOLDER / file).read_text()), f"{file} does not name {table.name}"


def test_a_table_that_goes_from_one_file_to_another_is_declared(tables: dict[str, dict[str, str]]) -> None:
    declared = {name for table in TABLES for name in real_names(table.name)}
    # each of two verbs that never meet makes its own from the same function
    alone = {"relabels"}
    files = [file for file in FOLDER.rglob("*.py") if file.name != "declarations.py"]
    for name in sorted(set(tables) - declared - alone):
        used = rf"\b(?:FROM|JOIN|INTO|TABLE|UPDATE|USING)\s+\(?{re.escape(name)}\b"
        made = rf'\b(?:fill|table|sliced|receipts)\(\s*"{re.escape(name)}"'
        named_by = [file.name for file in files if re.search(f"{used}|{made}", file.read_text())]
        assert len(named_by) <= 1, f"{name} goes between {named_by} and is not declared"


def test_no_table_is_declared_twice() -> None:
    assert len(IDS) == len(set(IDS))
