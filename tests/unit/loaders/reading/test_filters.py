from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.loaders.reading.filters import FUNCTIONS, TYPES, FilterColumn, FilterError, compile_filter

COLUMNS = ["clip", "snr_db", "transcript", "reasons", "status", 'odd "name']
NAMED = [FilterColumn("snr_db", "snr", "snr_db") if name == "snr_db" else FilterColumn(name, name) for name in COLUMNS]
ROWS = [
    ("a", 5.0, "it's here", ["noisy"], "dropped", 1),
    ("b", 25.0, "HERE too", [], "kept", 2),
    ("c", None, None, None, "failed", 3),
    ("d", -3.5, "100%", ["noisy", "narrow"], "dropped", 4),
]


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    kinds = ("VARCHAR", "FLOAT", "VARCHAR", "VARCHAR[]", "VARCHAR", "INTEGER")
    names = ['"' + name.replace('"', '""') + '"' for name in COLUMNS]
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(names, kinds, strict=True))
    connection.execute(f"CREATE TABLE clips ({columns})")
    connection.executemany("INSERT INTO clips VALUES (?, ?, ?, ?, ?, ?)", ROWS)
    return connection


def found(engine: duckdb.DuckDBPyConnection, text: str) -> str:
    sql = f"SELECT coalesce(string_agg(clip, '' ORDER BY clip), '') FROM clips WHERE {compile_filter(text, NAMED).sql}"
    row = engine.execute(sql).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("text", "clips"),
    [
        ("snr_db < 10", "ad"),
        ("snr_db >= -3.5 and snr_db <> 5", "bd"),
        ("status = 'kept' or status = 'failed'", "bc"),
        ("not (status = 'kept')", "acd"),
        ("snr_db is null", "c"),
        ("snr_db is not null and transcript like '%here%'", "a"),
        ("transcript ilike '%here%'", "ab"),
        ("transcript = 'it''s here'", "a"),
        ("contains(transcript, '100%')", "d"),
        ("transcript not like '%here%'", "bd"),
        ("list_contains(reasons, 'noisy')", "ad"),
        ("'narrow' in reasons", "d"),
        ("len(reasons) > 1", "d"),
        ("status in ('kept', 'failed')", "bc"),
        ("status not in ('kept', 'failed')", "ad"),
        ("snr_db between 0 and 10", "a"),
        ("abs(snr_db) * 2 + 1 < 12", "ad"),
        ("-snr_db > 0", "d"),
        ("snr.snr_db > 20", "b"),
        ("clips.status = 'kept'", "b"),
        ("lower(transcript) ~ 'h.re'", "ab"),
        ("coalesce(snr_db, 99) > 20", "bc"),
        ("snr_db::int = 25", "b"),
        ("status::varchar = 'kept'", "b"),
        ("snr_db is distinct from 5", "bcd"),
        ('"odd ""name" = 4', "d"),
        ("true and not false", "abcd"),
        ("snr_db < 1e1 -- and more", "ad"),
        ("SNR_DB < 10", "ad"),
        ("Snr.snr_DB\n< 10", "ad"),
        ("reasons[1] = 'noisy'", "ad"),
        ("case when snr_db is null then status else 'x' end = 'failed'", "c"),
        ("case status when 'kept' then true end", "b"),
        ("substr(status, 1, 4) = 'kept'", "b"),
        ("nullif(status, 'kept') is null", "b"),
        ("true or " * 400 + "true", "abcd"),
    ],
)
def test_ordinary_questions_are_answered(engine: duckdb.DuckDBPyConnection, text: str, clips: str) -> None:
    assert found(engine, text) == clips


HOSTILE = [
    "1) union select (1", "1); drop table clips; select (1", "1) order by (1", "1) limit (1", "true) group by (1",
    "snr_db = (select 1)", "exists(select 1 from duckdb_settings())", "snr_db in (select 1)", "1 = any(reasons)",
    "snr_db = $1", "snr_db = ?", "#1 = 1", "columns(*) is null", "*", "count(*) > 1", "sum(snr_db) > 1",
    "row_number() over () > 1", "list_filter(reasons, x -> true) is null", "read_text('/etc/passwd') = 'a'",
    "getenv('HOME') = 'x'", "current_setting('threads') = '1'", "nextval('s') = 1", "main.abs(snr_db) = 1",
    "system.main.abs(snr_db) = 1", "repeat('a', 1000000000) = 'a'", "range(1000000000) is null", "sleep(10)",
    "", "  \n", "snr_db::struct(a int) is null", "snr_db::int[] is null",
    "status collate nocase = 'kept'", "[1, 2] = reasons", "{'a': 1} is null", "interval 1 day > snr_db",
    "date '2020-01-01' > status", "now() > status", "current_user = 'a'", "null", "x'00' = status",
    "duckdb_settings.name = 'a'", "a.b.snr_db = 1", "clip.*", "rowid = 1", "try(snr_db)",
    "status similar to getenv('HOME')", "status glob '*'", "/* ", "((", "))", "'", '"', "\0", "snr_db < 10\u202e",
    "unnest(reasons) = 'a'", "struct_pack(a := 1) is null", "query_table('clips') is null", "first(snr_db) = 1",
    "abs(distinct snr_db) = 1", "abs(snr_db) filter (where true) = 1", "not", "or", "1 /* ) */ ) and (",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_plain_condition_on_columns_is_refused(text: str) -> None:
    with pytest.raises(FilterError):
        compile_filter(text, NAMED)


def test_refusals_say_what_would_be_right() -> None:
    with pytest.raises(FilterError, match=r"no column 'sn_dB'; close: snr_db"):
        compile_filter("sn_dB > 1", NAMED)
    with pytest.raises(FilterError, match=r"no column 'vad.snr_db'; close: snr_db"):
        compile_filter("vad.snr_db > 1", NAMED)
    with pytest.raises(FilterError, match="function getenv with 1 arguments is not allowed; there are: abs"):
        compile_filter("getenv('HOME') = 'x'", NAMED)
    with pytest.raises(FilterError, match="nests deeper"):
        compile_filter("not " * 60 + "true", NAMED)
    with pytest.raises(FilterError, match=r"nests deeper|not understood"):
        compile_filter("not " * 450 + "true", NAMED)


def tokens(text: str) -> list[str]:
    return re.findall(r"\S+", text)


PUNCTUATION = tokens("( ) ' \" '' ; -- /* */ , = < $1 ? :: [ ] . \\ % 'x' 0.5 1")
WORDS = tokens("and or not in select from int like is null union")
words = st.sampled_from([*COLUMNS[:5], *FUNCTIONS, *PUNCTUATION, *WORDS])
WRITTEN = tokens(
    "CASE WHEN THEN ELSE END AND OR NOT IS NULL IN BETWEEN DISTINCT FROM LIKE ILIKE TRY_CAST AS true false e E"
)


@settings(max_examples=150, deadline=None)
@given(st.lists(words, max_size=14).map(" ".join) | st.text(max_size=30))
def test_whatever_is_typed_gives_a_condition_of_known_parts_or_a_refusal(text: str) -> None:
    try:
        made = compile_filter(text, NAMED).sql
    except FilterError:
        return
    strings_out = "".join(piece for i, piece in enumerate(made.replace("''", "").split("'")) if i % 2 == 0)
    names_out = "".join(piece for i, piece in enumerate(strings_out.replace('""', "").split('"')) if i % 2 == 0)
    assert not {";", "--", "/*", "$", "?", "{", "["} & set(names_out.split())
    known = {*FUNCTIONS, *WRITTEN, *TYPES}
    letters = "".join(c if c.isalpha() or c == "_" else " " for c in names_out).split()
    assert set(letters) <= known
