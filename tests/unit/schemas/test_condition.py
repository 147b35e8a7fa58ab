"""One meaning of a condition: the Python that judges a clip, the SQL that judges a corpus, and the words for both."""

from __future__ import annotations

import operator
import re
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from auricle.schemas.condition import Condition, Rule, dtype_of
from auricle.schemas.score import ARROW

REASONS = st.sampled_from([None, "not_applicable: x", "unmeasurable: x", "skipped: x", "failed: x", ""])
FLOAT32 = st.floats(width=32)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(["vad", "it's", '"', "\0"])
MISSING = st.sampled_from(["auto", "keep", "drop"])


@pytest.fixture(scope="module")
def db() -> Any:
    with duckdb.connect() as connection:
        yield connection


def asked_of_sql(db: Any, condition: Condition, value: Any, dtype: str, reason: str | None) -> bool:
    """What DuckDB says of a column of the type that the clip table has."""
    column = pa.array([value], ARROW[dtype])
    db.register("scores", pa.table({"value": column, "reason": pa.array([reason], pa.string())}))
    ((found,),) = db.execute(f"SELECT {condition.sql('value', dtype, 'reason')} FROM scores").fetchall()
    assert found is not None
    return found


def neighbours(bound: float) -> list[float]:
    """The float32 nearest to a bound, and those on either side."""
    with np.errstate(over="ignore"):
        near = np.float32(bound)
        sides = [np.nextafter(near, np.float32(side)) for side in (-np.inf, np.inf)]
    return [float(sides[0]), float(near), float(sides[1])]


def words_hold(words: str, score: str, value: Any) -> bool:
    """The words applied as a reader would who sees the table: its numbers are float32."""
    signs = {">=": operator.ge, "<=": operator.le, "=": operator.eq}
    found = []
    for part in words.split(" and "):
        name, sign, bound = re.fullmatch(r"(\w+) (>=|<=|=) (.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
        assert name == score
        with np.errstate(over="ignore"):
            found.append(bool(signs[sign](np.float32(value), np.float32(float(bound)))))
    return all(found)


@settings(deadline=None, max_examples=150)
@given(
    bound=st.floats(allow_nan=False, allow_infinity=False)
    | FLOAT32.filter(np.isfinite)
    | st.decimals(-100, 100, places=3).map(float),
    side=st.integers(0, 2),
    which=st.sampled_from(["min", "max", "equals"]),
    fresh=st.booleans(),
)
@example(bound=0.9, side=1, which="min", fresh=False)
@example(bound=0.9, side=0, which="min", fresh=False)
@example(bound=1e39, side=1, which="min", fresh=False)
@example(bound=1e-05, side=1, which="max", fresh=False)
def test_at_the_boundaries_of_float32_python_sql_and_words_agree(
    db: Any, bound: float, side: int, which: str, fresh: bool
) -> None:
    condition = Condition.model_validate({"score": "snr_db", which: bound})
    # as a curator gives it, before it is stored, or as it is read back
    value = bound if fresh else neighbours(bound)[side]
    held = condition.holds(value, "float32")
    assert held == asked_of_sql(db, condition, value, "float32", None)
    assert held == words_hold(condition.words, "snr_db", value)
    if fresh or side == 1:
        assert held, "the float32 nearest to a bound satisfies it"


@settings(deadline=None, max_examples=100)
@given(
    value=st.none() | FLOAT32,
    low=st.none() | st.integers(-5, 5).map(float),
    high=st.none() | st.integers(-5, 5).map(float),
    missing=MISSING,
    reason=REASONS,
)
def test_nulls_and_nan_count_alike(
    db: Any, value: float | None, low: float | None, high: float | None, missing: str, reason: str | None
) -> None:
    assume((low, high) != (None, None) and (low is None or high is None or low <= high))
    condition = Condition.model_validate({"score": "snr_db", "min": low, "max": high, "missing": missing})
    held = condition.holds(value, "float32", reason)
    assert held == asked_of_sql(db, condition, value, "float32", reason)
    if value is not None and np.isnan(value):
        assert not held


@settings(deadline=None, max_examples=60)
@given(
    value=st.none() | st.integers(-(2**31), 2**31 - 1) | st.integers(-3, 3),
    low=st.none() | st.floats(-3, 3) | st.sampled_from([2147483646.5, 16777217.0]),
    equals=st.none() | st.integers(-3, 3).map(float) | st.just(0.5),
)
def test_whole_numbers_are_compared_exactly(
    db: Any, value: int | None, low: float | None, equals: float | None
) -> None:
    assume((low, equals) != (None, None))
    condition = Condition.model_validate({"score": "num_words", "min": low, "equals": equals})
    held = condition.holds(value, "int32")
    assert held == asked_of_sql(db, condition, value, "int32", None)
    if value is not None:
        assert held == ((low is None or value >= low) and (equals is None or value == equals))


@settings(deadline=None, max_examples=60)
@given(value=st.none() | TEXTS, equals=TEXTS, missing=MISSING, reason=REASONS)
def test_texts_agree(db: Any, value: str | None, equals: str, missing: str, reason: str | None) -> None:
    condition = Condition.model_validate({"score": "snr_method", "equals": equals, "missing": missing})
    held = condition.holds(value, "string", reason)
    assert held == asked_of_sql(db, condition, value, "string", reason)
    assert condition.words == f"snr_method = {equals}"
    if value is not None:
        assert held == (value == equals)


@pytest.mark.parametrize("equals", [True, False, 1, 0])
@pytest.mark.parametrize("value", [True, False, None])
def test_truths_agree(db: Any, value: bool | None, equals: Any) -> None:
    condition = Condition(score="align_ok", equals=equals)
    held = condition.holds(value, "bool")
    assert condition.unfit("bool") is None
    assert held == asked_of_sql(db, condition, value, "bool", None) == (value is None or value == equals)


def test_a_condition_says_itself_in_one_way_and_never_as_another_does() -> None:
    rule = Rule(score="snr_db", min=10, max=60.5, reason="noisy")
    assert (rule.words, rule.text) == ("snr_db >= 10 and snr_db <= 60.5", "noisy: snr_db >= 10 and snr_db <= 60.5")
    assert rule.required == "at least 10 and at most 60.5"
    close = [Condition(score="trust", min=bound).words for bound in (0.12345678, 0.12345679)]
    assert close == ["trust >= 0.12345678", "trust >= 0.12345679"]


@pytest.mark.parametrize(
    ("test", "dtype", "why"),
    [
        ({"min": 1}, "string", "test it with `equals`"),
        ({"max": 1}, "bool", "test it with `equals`"),
        ({"equals": 1.0}, "string", "write it in quotes"),
        ({"equals": "true"}, "bool", "write true or false"),
        ({"equals": 2}, "bool", "write true or false"),
        ({"equals": "10"}, "float32", "write a number"),
        ({"equals": True}, "int32", "write a number"),
        ({"equals": 1.0}, "binary", "cannot be tested"),
        ({"min": 1}, "float32", None),
        ({"equals": 3}, "int32", None),
        ({"equals": "vad"}, "string", None),
    ],
)
def test_a_test_that_does_not_fit_the_score_is_refused(test: dict[str, Any], dtype: str, why: str | None) -> None:
    found = Condition.model_validate({"score": "x", **test}).unfit(dtype)
    assert (found is None) if why is None else (found is not None and why in found)


@pytest.mark.parametrize("which", ["min", "max", "equals"])
def test_a_bound_that_is_no_number_is_refused(which: str) -> None:
    for bound in ("nan", "inf", "-inf"):
        with pytest.raises(ValidationError, match="finite number"):
            Condition.model_validate({"score": "snr_db", which: float(bound)})


def test_the_type_of_a_stored_score_is_seen_from_its_value() -> None:
    assert [dtype_of(v) for v in (True, "vad", 3, 0.5, None)] == ["bool", "string", "int32", "float32", "float32"]


@settings(max_examples=300, deadline=None)
@given(
    value=st.none() | FLOAT32,
    sigma=st.none() | st.floats(0, 40, width=32),
    low=st.none() | st.floats(-50, 20),
    high=st.none() | st.floats(20, 90),
    confidence=st.none() | st.floats(0.51, 0.99),
    unsure=st.sampled_from(["keep", "drop", "tier"]),
)
def test_a_rule_with_a_confidence_means_the_same_in_python_and_in_sql(
    db: Any, value: Any, sigma: Any, low: Any, high: Any, confidence: Any, unsure: Any
) -> None:
    assume(low is not None or high is not None)
    unsure = unsure if confidence is not None else "keep"
    rule = Rule(score="snr_db", min=low, max=high, reason="noisy", confidence=confidence, unsure=unsure)
    column = {"value": pa.array([value], pa.float32()), "sigma": pa.array([sigma], pa.float32())}
    db.register("scores", pa.table({**column, "reason": pa.array([None], pa.string())}))
    ((found,),) = db.execute(f"SELECT {rule.verdict_sql('value', 'float32', 'reason', 'sigma')} FROM scores").fetchall()
    assert found == rule.verdict(value, "float32", None, sigma)
    if confidence is None or value is None or sigma in (None, 0):
        assert (found == "holds") == rule.holds(value, "float32")


def test_a_score_within_its_own_error_of_the_bound_is_undecided() -> None:
    rule = Rule(score="snr_db", min=15, reason="noisy", confidence=0.9)
    found = [rule.verdict(value, "float32", None, 2.0) for value in (20.0, 17.0, 15.0, 13.0, 10.0)]
    assert found == ["holds", "unsure", "unsure", "unsure", "fails"]
    dropping = rule.model_copy(update={"unsure": "drop"})
    assert [r.drops(17.0, "float32", None, 2.0) for r in (rule, dropping)] == [False, True]


def test_unsure_without_a_confidence_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"add confidence: 0\.9"):
        Rule(score="snr_db", min=15, reason="noisy", unsure="drop")
    with pytest.raises(ValidationError, match="needs min or max"):
        Rule(score="snr_method", equals="vad", reason="guess", confidence=0.9)
