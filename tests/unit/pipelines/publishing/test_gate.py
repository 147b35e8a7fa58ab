"""The gate: what it computes, what it lets through, and what it never does silently."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auricle.pipelines.publishing.gate import judge, read_suite
from auricle.pipelines.publishing.gate_facts import gather, opened
from auricle.schemas.config import Gate
from auricle.schemas.errors import ConfigError
from auricle.schemas.keys import clip_key
from auricle.schemas.score import ScoreColumn
from auricle.schemas.tables import CLIP_CORE, clip_schema
from auricle.schemas.version import GateCheck, GateResult

CURATORS = {
    "snr": (ScoreColumn("snr_db", "float32", "dB", "level"), ScoreColumn("snr_method", "string", "text", "how")),
    "trust": (ScoreColumn("transcript_trust", "float32", "1", "probability that the transcript is right"),),
}
REPRESENTATION = "mimi-codes-12.5hz"
SCHEMA = clip_schema(CURATORS, [REPRESENTATION])

Row = dict[str, Any]


def clip(number: int, status: str = "kept", **changes: Any) -> Row:
    """A row as the pipeline writes it: 2 s at 16 kHz, scored, extracted when kept."""
    recording = f"{number:064x}"
    key = clip_key(recording, 0, 0, 32000)
    score = {"fingerprint": "f", "inputs": "", "reason": None}
    row = {
        "clip": key,
        "clip_hash64": int(key[:15], 16),
        "recording": recording,
        "source": "library",
        "path": f"{number}.flac",
        "sample_rate": 16000,
        "start": 0,
        "end": 32000,
        "duration_s": 2.0,
        "status": status,
        "reasons": [] if status == "kept" else ["noisy"] if status == "dropped" else ["killed_worker"],
        "snr": None if status == "failed" else {**score, "snr_db": 20.0 + number % 7, "snr_method": "vad"},
        "trust": None if status == "failed" else {**score, "transcript_trust": 0.9},
        "transcript": f"line {number}",
        REPRESENTATION: {"shard": "s", "offset": 512, "nbytes": 800} if status == "kept" else None,
    }
    return row | changes


@pytest.fixture
def table(tmp_path: Path) -> Callable[[list[Row]], list[Path]]:
    """Writes rows as two Parquet parts and gives their paths."""

    def write(rows: list[Row]) -> list[Path]:
        folder = tmp_path / f"v{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        parts = []
        for i, half in enumerate((rows[::2], rows[1::2])):
            parts.append(folder / f"{i}.parquet")
            pq.write_table(pa.Table.from_pylist(half, schema=SCHEMA), parts[-1])
        return parts

    return write


def failures(result: GateResult) -> list[GateCheck]:
    return [check for check in result.checks if not check.success]


def good(count: int = 10) -> list[Row]:
    return [clip(n, "dropped" if n % 5 == 0 else "failed" if n % 7 == 0 else "kept") for n in range(count)]


def test_a_sound_candidate_passes_with_every_check_shown(table: Callable[..., list[Path]]) -> None:
    result = judge(table(good()), None, Gate())
    assert failures(result) == []
    assert result.verdict == "passed"
    assert {check.expectation: check.observed for check in result.checks}["enough clips"] == "10"
    assert len(result.checks) >= 20


def test_a_gate_that_is_off_judges_nothing() -> None:
    assert judge([], None, Gate(enabled=False)) == GateResult(verdict="off")


def test_a_judgement_leaves_nothing_in_the_temporary_folder(
    table: Callable[..., list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, folder = table(good()), tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert judge(parts, parts, Gate()).verdict == "passed"
    assert list(folder.iterdir()) == []


def test_thresholds_of_the_configuration_are_critical(table: Callable[..., list[Path]]) -> None:
    parts = table(good(10))  # 7 kept
    result = judge(parts, None, Gate(min_clips=11, min_kept_share=0.71))
    assert result.verdict == "critical"
    assert [(c.expectation, c.observed, c.required) for c in failures(result)] == [
        ("enough clips", "10", "at least 11"),
        ("enough of the clips are kept", "0.7", "at least 0.71"),
    ]
    assert judge(parts, None, Gate(min_clips=10, min_kept_share=0.7)).verdict == "passed"


def test_an_empty_candidate_is_critical_unless_zero_clips_are_allowed(table: Callable[..., list[Path]]) -> None:
    for parts in ([], table([])):
        assert [c.expectation for c in failures(judge(parts, None, Gate()))] == [
            "enough clips",
            "enough of the clips are kept",
        ]
        assert judge(parts, None, Gate(min_clips=0, min_kept_share=0)).verdict == "passed"
        assert judge(parts, None, Gate(min_clips=0, min_kept_share=0.1)).verdict == "critical"


BROKEN = {
    "no clip key appears twice": {"clip": clip(1)["clip"]},
    "kept + dropped + failed = clips": {"status": "lost"},
    "every clip names its recording": {"recording": None},
    "every decoded clip lasts more than 0 s": {"duration_s": 0.0, "end": 0},
    "samples, rate and seconds agree": {"end": 48000},
    "every dropped or failed clip says why": {"status": "dropped", "reasons": None},
    "no kept clip has a reason to be dropped": {"reasons": ["noisy"]},
    "every duplicate names a clip of this version": {
        "status": "dropped",
        "reasons": ["duplicate"],
        "duplicate_of": "0" * 32,
    },
    "every kept clip has each representation or an error": {REPRESENTATION: None},
    "no score is NaN or infinite": {"snr": {"fingerprint": "f", "snr_db": math.nan, "snr_method": "vad"}},
    "transcript_trust is a probability (largest)": {"trust": {"fingerprint": "f", "transcript_trust": 1.5}},
}


@pytest.mark.parametrize("broken", BROKEN)
def test_each_broken_invariant_is_named_and_critical(table: Callable[..., list[Path]], broken: str) -> None:
    rows = [clip(n) for n in range(20)]
    rows[7] |= BROKEN[broken]
    result = judge(table(rows), None, Gate())
    assert result.verdict == "critical"
    assert broken in [check.expectation for check in failures(result) if check.severity == "critical"]


def test_a_redacted_clip_has_neither_path_nor_text_and_passes(table: Callable[..., list[Path]]) -> None:
    rows = [clip(n) for n in range(20)]
    rows[7] |= {"path": None, "transcript": None, "transcript_sha256": None, "label_source": None}
    assert judge(table(rows), None, Gate()).verdict == "passed"
    rows[8] |= {"path": None, "transcript": "still here"}
    assert [c.expectation for c in failures(judge(table(rows), None, Gate()))] == ["every clip names its path"]


def test_implausible_scores_mark_the_version_and_do_not_stop_it(table: Callable[..., list[Path]]) -> None:
    rows = [clip(n) for n in range(20)]
    rows[3]["snr"] |= {"snr_db": -300.0}
    rows[4]["snr"] = {"fingerprint": "f", "snr_db": None, "snr_method": None, "reason": None}
    result = judge(table(rows), None, Gate())
    assert result.verdict == "warning"
    assert [check.expectation for check in failures(result)] == [
        "every missing score says why",
        "snr_db is a plausible level in dB (smallest)",
    ]


def test_scores_that_no_curator_computed_are_left_out(tmp_path: Path) -> None:
    rows = [{k: v for k, v in clip(n).items() if k in CLIP_CORE.names} for n in range(4)]
    pq.write_table(pa.Table.from_pylist(rows, schema=CLIP_CORE), tmp_path / "core.parquet")
    result = judge([tmp_path / "core.parquet"], None, Gate())
    assert result.verdict == "passed"
    assert not [c for c in result.checks if "snr" in c.expectation or "representation" in c.expectation]


def test_a_missing_core_column_is_critical(tmp_path: Path) -> None:
    rows = [{"clip": "a", "status": "kept"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "thin.parquet")
    result = judge([tmp_path / "thin.parquet"], None, Gate())
    assert result.verdict == "critical"
    assert "every core column is there" in [c.expectation for c in failures(result)]
    assert "not evaluated: no column 'bad_durations'" in [c.observed for c in failures(result)]


def test_flips_count_changed_decisions_and_kept_clips_that_are_gone(table: Callable[..., list[Path]]) -> None:
    before = [clip(n, "kept" if n < 6 else "dropped") for n in range(10)]
    now = [clip(n, "kept" if n != 0 else "dropped") for n in (0, 1, 2, 3, 6, 7, 8)] + [clip(n) for n in (20, 21)]
    # of ten: 0 kept->dropped, 4 and 5 kept->gone, 6, 7, 8 dropped->kept, 9 dropped->gone: six changed, three gone
    parts, previous = table(now), table(before)
    with opened(parts) as relation:
        facts = gather(relation, previous)
    assert (facts["published_before"], facts["flipped_share"], facts["retired_share"]) == (10, 0.6, 0.3)
    assert judge(parts, previous, Gate(max_flipped_share=0.6)).verdict == "passed"
    result = judge(parts, previous, Gate(max_flipped_share=0.5))
    assert [(c.observed, c.required) for c in failures(result)] == [("0.6", "at most 0.5")]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(statuses=st.lists(st.sampled_from(["kept", "dropped", "failed", "other"]), max_size=12))
def test_the_ledger_facts_equal_plain_counting(table: Callable[..., list[Path]], statuses: list[str]) -> None:
    with opened(table([clip(n, status) for n, status in enumerate(statuses)])) as relation:
        facts = gather(relation, None)
    assert [facts[s] for s in ("kept", "dropped", "failed")] == [
        statuses.count(s) for s in ("kept", "dropped", "failed")
    ]
    assert facts["clips"] == len(statuses)
    assert facts["ledger_gap"] == statuses.count("other")


def test_a_relation_is_judged_like_its_parts(table: Callable[..., list[Path]]) -> None:
    parts = table(good())
    with duckdb.connect() as connection:
        relation = connection.read_parquet([str(p) for p in parts], union_by_name=True)
        assert judge(relation, parts, Gate()) == judge(parts, parts, Gate())


def suite(folder: Path, *expectations: dict[str, Any]) -> str:
    path = folder / "own.json"
    path.write_text(json.dumps({"name": "own", "expectations": list(expectations)}))
    return str(path)


def test_a_suite_of_ones_own_sees_facts_and_a_sample_of_clips(table: Callable[..., list[Path]], tmp_path: Path) -> None:
    quantiles = {"quantiles": [0.5], "value_ranges": [[30, 40]]}
    own = suite(
        tmp_path,
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "clip", "regex": "^[0-9a-f]{32}$"},
         "meta": {"on": "sample"}},
        {"type": "expect_column_quantile_values_to_be_between", "severity": "info", "meta": {"on": "sample"},
         "kwargs": {"column": "snr_db", "quantile_ranges": quantiles}},
        {"type": "expect_column_values_to_be_in_set", "severity": "warning", "meta": {"on": "sample"},
         "kwargs": {"column": "status", "value_set": ["kept"]}},
    )  # fmt: skip
    result = judge(table(good()), None, Gate(suite=own))
    assert [(c.severity, c.success) for c in result.checks] == [("critical", True), ("info", False), ("warning", False)]
    assert result.verdict == "warning"
    assert result.checks[2].observed.startswith("3 of 10 rows: ")
    GateResult.model_validate_json(result.model_dump_json())  # numpy.bool of the quantile check does not survive this


def test_an_expectation_that_cannot_be_evaluated_is_critical(table: Callable[..., list[Path]], tmp_path: Path) -> None:
    own = suite(
        tmp_path,
        {"type": "expect_column_values_to_not_be_null", "severity": "info", "kwargs": {"column": "snr_bd"}},
        {"type": "expect_column_mean_to_be_between", "severity": "info", "meta": {"on": "sample"},
         "kwargs": {"column": "path", "min_value": 0}},
    )  # fmt: skip
    result = judge(table(good()), None, Gate(suite=own))
    assert result.verdict == "critical"
    assert [c.severity for c in result.checks] == ["critical", "critical"]
    assert result.checks[0].observed == "not evaluated: no column 'snr_bd'"
    assert result.checks[1].observed.startswith("not evaluated: ")


between = {"column": "clips", "min_value": 1}


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        ({"type": "expect_wonders", "kwargs": {}}, "expect_wonders"),
        ({"type": "expect_column_values_to_be_between", "kwargs": {"column": "clips"}}, "cannot both be None"),
        ({"type": "expect_column_values_to_be_between", "kwargs": between | {"maxvalue": 1}}, "maxvalue"),
        ({"type": "expect_column_values_to_be_between", "kwargs": between, "severity": "fatal"}, "fatal"),
        ({"type": "expect_column_values_to_be_between", "kwargs": between, "meta": {"on": "moon"}}, "moon"),
        ({"type": "expect_column_values_to_be_between", "kwargs": between | {"min_value": {"$PARAMETER": "x"}}},
         "min_clips, min_kept_share"),
    ],
)  # fmt: skip
def test_a_suite_that_asks_for_what_does_not_exist_is_refused(
    table: Callable[..., list[Path]], tmp_path: Path, expectation: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        judge(table(good()), None, Gate(suite=suite(tmp_path, expectation)))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"expectations": []}', '{"expectations": [{"type": "x"}]}', "\0"])
def test_an_unreadable_suite_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"own\.json"):
        read_suite(str(path))


def test_an_unknown_suite_names_those_that_are_shipped() -> None:
    with pytest.raises(ConfigError, match="shipped: clips_gate"):
        read_suite("clips_gat")
    with pytest.raises(ConfigError, match="No such file"):
        read_suite("/nowhere/at/all.json")


def test_the_shipped_suite_has_words_for_every_check_and_no_check_twice() -> None:
    titles = [item.title for item in read_suite("clips_gate")]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if "column values" in title]
