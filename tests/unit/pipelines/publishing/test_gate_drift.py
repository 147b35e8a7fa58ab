"""Drift: nothing on clips of the same kind, seen when a part of them moves; shares; arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auricle.pipelines.publishing import gate_arrays
from auricle.pipelines.publishing.gate import check, judge
from auricle.pipelines.publishing.gate_drift import drift
from auricle.pipelines.publishing.gate_shares import share_facts
from auricle.schemas.config import Gate
from auricle.schemas.errors import ConfigError

SCORE = pa.struct(
    [("fingerprint", pa.string()), ("inputs", pa.string()), ("reason", pa.string()), ("snr_db", pa.float32())]
)


def table(folder: Path, name: str, first: int, values: np.ndarray, **columns: Any) -> Path:
    """Clips `first`, `first + 1`, ... with these SNRs."""
    score = [{"fingerprint": "f", "inputs": "", "reason": None, "snr_db": float(v)} for v in values]
    made = {
        "clip": [f"{first + k:032x}" for k in range(len(values))], "status": ["kept"] * len(values),
        "duration_s": [2.0] * len(values), "snr": pa.array(score, SCORE), **columns,
    }  # fmt: skip
    pq.write_table(pa.table(made), folder / name)
    return folder / name


def found(folder: Path, old: np.ndarray, new: np.ndarray) -> dict[str, Any]:
    before = table(folder, "old.parquet", 0, old)
    both = [before, table(folder, "new.parquet", len(old), new)]
    with duckdb.connect() as db:
        return drift(db.sql(f"FROM read_parquet({[str(p) for p in both]})"), [before])


def moved(rng: np.random.Generator, size: int, share: float, by_db: float) -> np.ndarray:
    values = rng.normal(20, 6, size)
    values[: int(share * size)] += by_db
    return values


def test_clips_of_the_same_kind_do_not_drift_over_many_seeds(tmp_path):
    seen = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        facts = found(tmp_path, moved(rng, 4000, 0, 0), moved(rng, 2000, 0, 0))
        seen.append((facts["drift"], facts["drift_bits"]))
    assert [d for d, _ in seen] == [0.0] * 12
    assert max(bits for _, bits in seen) < 0.02


def test_a_fifth_of_the_clips_moved_by_4_db_is_seen_and_named(tmp_path):
    missed = 0
    for seed in range(12):
        rng = np.random.default_rng(100 + seed)
        facts = found(tmp_path, moved(rng, 10_000, 0, 0), moved(rng, 4000, 0.2, 4.0))
        missed += facts["drift"] <= 0.04
        assert facts["drift_of"] == "snr_db"
    assert missed <= 1


def test_few_clips_missing_scores_and_a_first_version_say_nothing(tmp_path):
    rng = np.random.default_rng(0)
    assert found(tmp_path, moved(rng, 4000, 0, 0), moved(rng, 50, 1, 40))["drift"] is None
    assert found(tmp_path, np.full(500, np.nan), np.full(500, np.nan))["drift"] is None
    with duckdb.connect() as db:
        assert drift(db.sql(f"FROM read_parquet('{tmp_path}/new.parquet')"), None)["drift"] is None


def test_one_value_for_all_and_another_for_the_new_ones_is_the_largest_drift(tmp_path):
    assert found(tmp_path, np.full(500, 20.0), np.full(500, 30.0))["drift"] == 1.0


def test_shares_are_of_the_kept_hours_that_are_named(tmp_path):
    size = 6
    path = table(
        tmp_path, "t.parquet", 0, np.zeros(size), speaker=["a", "a", "a", "b", None, "c"],
        language=["en", "en", "en", "en", "de", "de"],
    )  # fmt: skip
    with duckdb.connect() as db:
        db.sql(f"CREATE TABLE t AS FROM read_parquet('{path}')")
        db.sql("UPDATE t SET status = 'dropped' WHERE speaker = 'c'")
        facts = share_facts(db.sql("FROM t"))
    assert facts["kept_hours"] == pytest.approx(10 / 3600)
    assert (facts["kept_speakers"], facts["largest_speaker_share"]) == (2, 0.75)
    assert (facts["kept_languages"], facts["largest_language_share"]) == (2, pytest.approx(0.8))
    assert facts["smallest_language_hours"] == pytest.approx(2 / 3600)


@pytest.mark.parametrize(
    ("kind", "spoil", "fact"),
    [
        ("codes", lambda a: a.__setitem__((1, slice(None)), 3), "dead_codebooks"),
        ("codes", lambda a: a.__setitem__((0, 5), 16), "codes_out_of_range"),
        ("latents", lambda a: a.__setitem__((0, 5), np.nan), "arrays_not_finite"),
        ("latents", lambda a: a.__setitem__((1, slice(None)), 0.5), "dead_dimensions"),
    ],
)
def test_arrays_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, kind: str, spoil: Callable[[np.ndarray], None], fact: str
) -> None:
    from types import SimpleNamespace

    rng = np.random.default_rng(0)
    sound = [
        rng.integers(0, 16, (4, 300)).astype(np.uint16) if kind == "codes" else rng.normal(size=(4, 300)).astype("f4")
        for _ in range(3)
    ]
    spec: Any = SimpleNamespace(name="r", cardinality=16 if kind == "codes" else None)
    with duckdb.connect() as db:
        clips = db.sql("SELECT 'x' AS clip, 1 AS r")
        monkeypatch.setattr(gate_arrays, "_sampled", lambda *_: ((str(k), a) for k, a in enumerate(sound)))
        before = gate_arrays.array_facts(clips, None, [spec])  # pyright: ignore[reportArgumentType]
        assert before[fact] == 0
        for array in sound:
            spoil(array)
        after = gate_arrays.array_facts(clips, None, [spec])  # pyright: ignore[reportArgumentType]
    assert after[fact] == (1 if fact.startswith("dead") else 3)


def test_expectations_of_the_configuration_are_asked_and_refused_at_the_start_when_they_cannot_be_read(tmp_path):
    path = table(tmp_path, "t.parquet", 0, np.full(5, 20.0))
    own = {
        "type": "expect_column_values_to_be_between", "severity": "warning",
        "kwargs": {"column": "kept_hours", "min_value": 1.0}, "meta": {"title": "an hour at least"},
    }  # fmt: skip
    result = judge([path], None, Gate(expect=[own]))
    (asked,) = [c for c in result.checks if c.expectation == "an hour at least"]
    assert (asked.success, asked.severity, asked.required) == (False, "warning", "at least 1")
    for broken in ({}, {"type": "x"}, {**own, "severity": "grave"}, {**own, "meta": {"on": "moon"}}):
        with pytest.raises(ConfigError, match=r"gate\.expect: number 1"):
            check(Gate(expect=[broken]))
