from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auricle.dashboards.explorer import tables
from auricle.dashboards.explorer.comparison import compare, reason_rows
from auricle.dashboards.explorer.tables import ClipTable, QueryError
from auricle.loaders.reading.filters import FilterError
from auricle.loaders.reading.where import Where
from auricle.schemas.errors import ConfigError


@pytest.fixture(scope="module")
def table(sample: Any) -> ClipTable:
    return ClipTable(sample.parts)


def test_columns_are_flat_and_pointers_are_left_out(table: ClipTable) -> None:
    assert {"clip", "reasons", "snr_db", "snr_reason", "transcript_trust"} <= set(table.columns)
    assert not [name for name in table.columns if "builtin" in name or name in ("snr", "fingerprint")]


@pytest.mark.parametrize(
    "text",
    [
        "snr_db > 20",
        "SNR.snr_db <= 20 or snr_reason is not null",
        "snr.reason like 'unmeasurable%'",
        "status = 'kept' and language = 'en'",
        "list_contains(reasons, 'noisy')",
        "case when snr_db is null then duration_s else snr_db end between 2 and 15",
        "align_ok",
        "not align_ok",
        "snr_db",
        "language",
        "duration_s / 0 > 1",
        "snr is null",
        "now() > '2020-01-01'",
        "nothing = 1",
        "snr_db > 'loud'",
    ],
)
def test_a_filter_means_in_the_explorer_what_it_means_on_the_command_line(
    table: ClipTable, sample: Any, text: str
) -> None:
    rows = pa.concat_tables([pq.read_table(part) for part in sample.parts], promote_options="permissive")
    try:
        chosen = rows.filter(Where(text, rows.schema).mask(rows))["clip"].to_pylist()
    except ConfigError:
        with pytest.raises((FilterError, QueryError)):
            table.count(text)
        return
    assert sorted(chosen) == [key for (key,) in table.stream(text, ["clip"], len(sample.rows))]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sort=st.sampled_from(["clip", "snr_db", "status", "duration_s", "align_ok", "speaker"]),
    descending=st.booleans(),
    size=st.integers(7, 200),
)
def test_pages_together_are_the_sorted_table(
    table: ClipTable, sample: Any, sort: str, descending: bool, size: int
) -> None:
    seen, after = [], None
    while True:
        page = table.page("duration_s > 1", sort, descending, after, size, ["path"])
        assert len(page.rows) <= size
        seen += page.rows
        after = page.after
        if after is None:
            break
    assert len(seen) == len({row["clip"] for row in seen}) == sum(r["duration_s"] > 1 for r in sample.rows)
    values = [row[sort] for row in seen]
    known = [v for v in values if v is not None]
    assert known == sorted(known, reverse=descending)
    assert values == known + [None] * (len(values) - len(known))


def test_counts_follow_the_filter(table: ClipTable, sample: Any) -> None:
    assert table.count("") == len(sample.rows)
    noisy = sum("noisy" in row["reasons"] for row in sample.rows)
    assert table.count("list_contains(reasons, 'noisy')") == noisy


def test_a_clip_is_found_by_its_key_and_by_nothing_else(table: ClipTable, sample: Any) -> None:
    row = table.clip(sample.rows[5]["clip"])
    assert row is not None
    assert row["path"] == sample.rows[5]["path"]
    for key in ("", "' or true --", "0" * 32, "%"):
        assert table.clip(key) is None


@pytest.mark.parametrize("token", ["x", "bm90IGpzb24", "W10", "WzEsMl0", "eyJhIjoxfQ", "\u2603"])
def test_a_damaged_cursor_is_refused(table: ClipTable, token: str) -> None:
    with pytest.raises(ValueError, match="damaged"):
        table.page("", "clip", False, token, 5, [])


@pytest.mark.parametrize("sort", ["nope", "reasons", 'clip" desc; --', ""])
def test_sorting_by_what_is_not_there_is_refused(table: ClipTable, sort: str) -> None:
    with pytest.raises(ValueError, match="cannot sort"):
        table.page("", sort, False, None, 5, [])


def test_a_question_that_compares_apples_with_numbers_is_told_so(table: ClipTable) -> None:
    with pytest.raises(QueryError, match="Error"):
        table.count("path > 5")


ESCAPES = [
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM glob('/*')",
    "COPY clips TO '{folder}/stolen.csv'",
    "ATTACH '{folder}/other.db'",
    "EXPORT DATABASE '{folder}/all'",
    "SET memory_limit = '64GB'",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "INSTALL httpfs",
    "LOAD '{folder}/x.duckdb_extension'",
    "SELECT getenv('HOME')",
]


@pytest.mark.parametrize("sql", ESCAPES)
def test_the_engine_itself_opens_nothing_but_its_parts(table: ClipTable, tmp_path: Path, sql: str) -> None:
    """The second layer: even SQL that got past the filter language stays inside."""
    with pytest.raises(QueryError):
        table.query(sql.format(folder=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_query_that_does_not_end_is_stopped(table: ClipTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "TIME_LIMIT_S", 0.2)
    with pytest.raises(QueryError, match=r"stopped after 0\.2 s"):
        table.query("SELECT count(*) FROM range(100000000000) AS r WHERE sqrt(r.range) > 1")
    assert table.count("") > 0


def test_a_version_without_clips_is_an_empty_table() -> None:
    table = ClipTable([])
    assert table.count("") == 0
    assert table.page("", "clip", False, None, 10, ["path"]).rows == []


def test_comparison_counts_moves_and_names_the_reasons(sample: Any, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(sample.parts[0])
    before = [dict(row) for row in sample.rows]
    kept = [row for row in before if row["status"] == "kept"]
    dropped = [row for row in before if row["status"] == "dropped"]
    kept[0] |= {"status": "dropped", "reasons": ["strict", "narrow"]}  # kept now: won
    lost_for = dropped[0]["reasons"]
    dropped[0] |= {"status": "kept", "reasons": []}  # dropped now: lost
    gone = [dict(kept[1], clip="f" * 32)]
    rows = [row for row in before if row is not dropped[1]] + gone  # dropped[1] is new, gone[0] is absent now
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "before.parquet")
    found = compare(ClipTable(sample.parts, [tmp_path / "before.parquet"]))
    moves = found["moves"]
    assert (moves["dropped", "kept"], moves["kept", "dropped"]) == (1, 1)
    assert (moves["absent", "dropped"], moves["kept", "absent"]) == (1, 1)
    assert sum(moves.values()) == len(sample.rows) + 1
    assert found["flipped"] == 2
    assert found["won"] == [("narrow", 1), ("strict", 1)]
    assert dict(found["lost"]) == dict.fromkeys(lost_for, 1)
    assert {row["clip"] for row in found["flips"]} == {kept[0]["clip"], dropped[0]["clip"]}


def test_reasons_are_ranked_by_how_much_they_changed() -> None:
    assert reason_rows({"a": 5, "b": 1}, {"b": 9, "c": 2}) == [("b", 9, 1, -8), ("a", 0, 5, 5), ("c", 2, 0, -2)]
