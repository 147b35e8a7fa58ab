"""What a named curriculum is made from: one row per kept clip with what its spec tests, read in one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa

from ...loaders.reading.version import Version
from ...loaders.storage.engine import engine, view_parts
from ...schemas.condition import NUMBERS, Condition
from ...schemas.curriculum_spec import DIFFICULTY, OWN_SCORES, CurriculumSpec
from ...schemas.errors import ConfigError
from ...schemas.near import did_you_mean
from ...schemas.representation import RepresentationSpec
from ...schemas.score import Curator, Dtype, ScoreColumn
from ...schemas.sql import quoted
from ..policy.conditions_sql import Scored
from ..policy.speakers import version_speakers


@dataclass(frozen=True)
class _Recorded:
    """A curator as a version document has it: enough to read conditions."""

    name: str
    columns: tuple[ScoreColumn, ...]


@dataclass(frozen=True)
class Facts:
    """Kept clips that have the representation, by ascending key; all arrays are `[N]`."""

    table: pa.Table
    """clip, tier, duration_s, source, language, speaker, known_by (speaker, voice or recording), tokens, difficulty."""
    ranked: dict[str, np.ndarray]
    """Score -> float64, NaN where it is missing: those whose order the spec asks for."""
    holds: list[np.ndarray]
    """Bool for each of `spec.conditions()`, in that order."""

    def __len__(self) -> int:
        return self.table.num_rows

    def column(self, name: str) -> list[Any]:
        """A column as Python values."""
        return self.table[name].to_pylist()

    def numbers(self, name: str) -> np.ndarray:
        """A column as float64, NaN for null."""
        return self.table[name].to_numpy(zero_copy_only=False).astype(np.float64)


def recorded(version: Version) -> list[Curator]:
    """The curators whose scores a version has."""
    made = [
        _Recorded(
            name,
            tuple(
                ScoreColumn(c["name"], cast(Dtype, c["dtype"]), c.get("unit", ""), c.get("description", ""))
                for c in entry.columns
            ),
        )
        for name, entry in version.document.curators.items()
    ]
    return cast("list[Curator]", made)


def check_scores(version: Version, spec: CurriculumSpec) -> None:
    """Refuse a score that the version lacks or that cannot be tested so, and a tier that it lacks.

    Raises `ConfigError` that says what there is.
    """
    columns = {column.name: column.dtype for curator in recorded(version) for column in curator.columns}
    there = f"there are: {', '.join([*OWN_SCORES, *sorted(n for n, d in columns.items() if d != 'binary')])}"
    who = f"the curriculum {spec.name!r}"
    for condition in spec.conditions():
        if condition.score in OWN_SCORES:
            if condition.wrong_share is not None or condition.unfit("float32"):
                raise ConfigError(f"{who}: {condition.score!r} is a number: test it with min, max or a number")
        elif condition.score not in columns:
            near = did_you_mean(condition.score, [*OWN_SCORES, *columns])
            raise ConfigError(
                f"{who}: a rule tests {condition.score!r}, which the version does not have; {there}{near}"
            )
        elif why := condition.unfit(columns[condition.score]):
            raise ConfigError(f"{who}: the score {condition.score!r} {why}")
    for score in spec.ranked():
        if score not in OWN_SCORES and score not in columns:
            near = did_you_mean(score, [*OWN_SCORES, *columns])
            raise ConfigError(f"{who} ranks by {score!r}, which the version does not have; {there}{near}")
        if score not in OWN_SCORES and columns[score] not in NUMBERS:
            raise ConfigError(f"{who} ranks by {score!r}, which is a {columns[score]}: a number is required")
    known = sorted(version.document.kept_by_tier)
    for stage in spec.stages:
        if unknown := sorted(set(stage.tiers) - set(known)):
            raise ConfigError(
                f"{who}: the stage {stage.name!r} takes the tier {unknown[0]!r}; the version has "
                f"{', '.join(known) or 'no tiers: add `tiers` to its configuration and run'}"
            )


def read_facts(
    version: Version, spec: CurriculumSpec, representation: RepresentationSpec, hard: pa.Table | None
) -> Facts:
    """The facts. hard: the difficulty table, where the spec needs it; the scores are those of `check_scores`."""
    scored = Scored(recorded(version), version.document.wrong_texts)
    tests = [f"{_test(scored, condition)} AS {quoted(f'test {i}')}" for i, condition in enumerate(spec.conditions())]
    ranked = [f"CAST({_value(scored, score)} AS DOUBLE) AS {quoted(f'rank {score}')}" for score in spec.ranked()]
    pointer = quoted(representation.name)
    empty = pa.table({"clip": pa.array([], pa.string()), DIFFICULTY: pa.array([], pa.float64())})
    with engine("curriculum") as db:
        view_parts(db, "parts", version.files())
        db.register("voices", version_speakers(version))
        db.register("hard", empty if hard is None else hard.select(["clip", DIFFICULTY]))
        db.execute(
            f"""CREATE VIEW clips AS
            SELECT p.* EXCLUDE (speaker), v.speaker, v.kind AS known_by, h.{DIFFICULTY} AS {DIFFICULTY},
                CAST({pointer}.num_frames AS BIGINT) * {representation.rows} AS tokens
            FROM parts p JOIN voices v USING (clip) LEFT JOIN hard h USING (clip)
            WHERE status = 'kept' AND {pointer}.shard IS NOT NULL"""
        )
        columns = ["clip", "tier", "duration_s", "source", "language", "speaker", "known_by", "tokens", DIFFICULTY]
        table = db.sql(f"SELECT {', '.join([*columns, *tests, *ranked])} FROM clips ORDER BY clip").to_arrow_table()
    return Facts(
        table=table.select(columns),
        ranked={
            score: table[f"rank {score}"].to_numpy(zero_copy_only=False).astype(np.float64) for score in spec.ranked()
        },
        holds=[table[f"test {i}"].to_numpy(zero_copy_only=False).astype(bool) for i in range(len(tests))],
    )


def _test(scored: Scored, condition: Condition) -> str:
    """SQL that is TRUE or FALSE."""
    if condition.score not in OWN_SCORES:
        return scored.holds_sql(condition)
    # compared as doubles; a difficulty that is missing could not be measured, so it satisfies nothing by itself
    value = f"(CASE WHEN isnan({condition.score}) THEN NULL ELSE {condition.score} END)"
    return condition.sql(value, "int32", "'unmeasurable'")


def _value(scored: Scored, score: str) -> str:
    if score in OWN_SCORES:
        return score
    return scored.value_sql(Condition(score=score, min=0))


def distinct(values: Sequence[Any]) -> dict[str, int]:
    """How often each value occurs, most frequent first."""
    found: dict[str, int] = {}
    for value in values:
        if value is not None:
            found[value] = found.get(value, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
