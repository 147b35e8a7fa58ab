import sys

import pyarrow as pa
import pytest

from auricle.loaders.reading.where import Where
from auricle.schemas.errors import ConfigError, MissingExtraError
from auricle.schemas.score import ScoreColumn
from auricle.schemas.tables import clip_schema

SCHEMA = clip_schema({"snr": [ScoreColumn("snr_db", "float32", "dB", "")]}, ["toy-codes-50hz"])
ROWS = pa.Table.from_pylist(
    [
        {"clip": "a", "status": "kept", "tier": "gold", "language": "en", "reasons": [], "snr": {"snr_db": 30.0}},
        {
            "clip": "b",
            "status": "kept",
            "tier": None,
            "language": "fr",
            "reasons": [],
            "snr": {"snr_db": None, "reason": "unmeasurable: no speech"},
        },
        {"clip": "c", "status": "dropped", "tier": None, "language": "en", "reasons": ["noisy"], "snr": None},
        {"clip": "d", "status": "kept", "tier": "gold", "language": None, "reasons": [], "snr": {"snr_db": 8.5}},
    ],
    schema=SCHEMA,
)


def chosen(expression: str) -> str:
    where = Where(expression, SCHEMA)
    mask = where.mask(ROWS.select(list(where.columns) or ["clip"]))
    return "".join(ROWS.filter(mask)["clip"].to_pylist())


@pytest.mark.parametrize(
    ("expression", "clips"),
    [
        ("tier = 'gold' and language = 'en'", "a"),
        ("snr_db > 8", "ad"),
        ("SNR_DB >= 8.5", "ad"),
        ("snr.snr_db is null", "bc"),
        ("snr.reason = 'unmeasurable: no speech'", "b"),
        ("snr_reason is not null", "b"),
        ("snr.fingerprint is null", "abcd"),
        ("status = 'dropped' or language in ('fr', 'de')", "bc"),
        ("list_contains(reasons, 'noisy')", "c"),
        ("not (language = 'en')", "b"),
        ("coalesce(language, 'xx') like 'x%'", "d"),
        ("snr_db + 1 between 9 and 10", "d"),
        ("true", "abcd"),
        ("'it''s -- not a comment' = language", ""),
        ("language = 'en' -- English", "ac"),
        ("case when tier is null then language else 'fr' end = 'fr'", "abd"),
    ],
)
def test_an_expression_selects_the_rows_that_it_holds_for_and_null_is_no(expression: str, clips: str) -> None:
    assert chosen(expression) == clips


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("tier == gold", "no column 'gold'"),
        ("sn_db > 3", "close: snr_db"),
        ("tier = 'gold", "cannot be used"),
        ("", "cannot be used"),
        ("true) union select (true", "single condition"),
        ("true) group by (clip", "single condition"),
        ("true) limit (1", "single condition"),
        ("true); select (1", "single condition"),
        ("clip in (select clip from clips)", "subquery is not allowed"),
        ("exists (select * from read_csv('/etc/passwd'))", "subquery is not allowed"),
        ("row_number() over () < 3", "window is not allowed"),
        ("random() < 0.5", "function random"),
        ("now() > '2020-01-01'", "function now"),
        ("getvariable('x') = 1", "getvariable"),
        ("language > 3 + [1]", "cannot be used"),
        ("tier = ?", "parameter is not allowed"),
        ("count(*) > 1", "cannot be used"),
        ("snr", "no column 'snr'"),
        ("snr_db", "gives a FLOAT, not true or false"),
        ("language", "gives a VARCHAR"),
    ],
)
def test_anything_but_one_deterministic_test_of_a_clip_is_refused(expression: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        chosen(expression)


def test_pointers_are_no_columns_of_a_filter() -> None:
    with pytest.raises(ConfigError, match="no column"):
        Where('"toy-codes-50hz".shard is null', SCHEMA)


def test_only_the_columns_that_the_expression_names_are_read() -> None:
    assert Where("snr_db > 3 and tier = 'gold' and snr.reason is null", SCHEMA).columns == ("snr", "tier")


def test_a_column_that_an_older_part_lacks_is_null_there() -> None:
    where = Where("snr_db > 3 or snr_db is null and tier = 'gold'", SCHEMA)
    assert where.mask(ROWS.select(["clip", "tier"])).to_pylist() == [True, False, False, True]


def test_without_duckdb_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtraError, match=r"auricle\[curate\]"):
        Where("true", SCHEMA)
