"""What differs between two named curricula: their specs and inputs, and which clips moved from which stage to which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc  # pyright: ignore[reportMissingTypeStubs]

from ..reading.curricula import NamedCurriculum

ABSENT = "(not there)"
"""Place of a clip that the other curriculum does not know."""


@dataclass(frozen=True)
class Move:
    """Clips that are in one place of the first curriculum and in another of the second."""

    a: str
    b: str
    clips: int
    hours: float


@dataclass(frozen=True)
class CurriculumDiff:
    """Two curricula, side by side."""

    a: str
    b: str
    spec: dict[str, list[Any]]
    """Dotted key -> what each says, where they differ; None: nothing."""
    inputs: dict[str, list[Any]]
    moves: list[Move]
    """Every pair of places that holds a clip, also the same one twice; most clips first."""
    same_share: float
    """Of the clips that both know: those in the same place."""
    audit: dict[str, list[str]]
    """Keys set aside by `a` only and by `b` only."""


def curriculum_diff(a: NamedCurriculum, b: NamedCurriculum) -> CurriculumDiff:
    """Compare two curricula, of one version or of two; clips are matched by their keys."""
    joined = _places(a, "a").join(_places(b, "b"), "clip", join_type="full outer", use_threads=False)
    seconds = pc.coalesce(joined["seconds a"], joined["seconds b"])
    table = pa.table({"a": pc.fill_null(joined["a"], ABSENT), "b": pc.fill_null(joined["b"], ABSENT), "s": seconds})
    grouped = table.group_by(["a", "b"], use_threads=False).aggregate([("s", "count"), ("s", "sum")]).to_pylist()
    moves = [Move(row["a"], row["b"], row["s_count"], row["s_sum"] / 3600) for row in grouped]
    both = [move for move in moves if ABSENT not in (move.a, move.b)]
    known = sum(move.clips for move in both)
    one, two = set(a.document.audit), set(b.document.audit)
    return CurriculumDiff(
        a=a.id,
        b=b.id,
        spec=_differences(a.document.spec, b.document.spec),
        inputs=_differences(a.document.inputs.model_dump(), b.document.inputs.model_dump()),
        moves=sorted(moves, key=lambda move: (-move.clips, move.a, move.b)),
        same_share=sum(move.clips for move in both if move.a == move.b) / known if known else 0.0,
        audit={"a": sorted(one - two), "b": sorted(two - one)},
    )


def _places(curriculum: NamedCurriculum, side: str) -> pa.Table:
    """Clip, its place in words, and its seconds."""
    table = curriculum.table
    names = pa.array([stage.name for stage in curriculum.document.stages], pa.string())
    reason = pc.binary_join_element_wise("out: ", table["left_out"], "")
    place = pc.coalesce(names.take(table["stage"].combine_chunks()), reason)
    return pa.table({"clip": table["clip"], side: place, f"seconds {side}": table["duration_s"]})


def _differences(a: Any, b: Any, at: str = "") -> dict[str, list[Any]]:
    """Dotted keys under which two JSON values differ. Lists of named things go by their names."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        found: dict[str, list[Any]] = {}
        for key in sorted({*a, *b}):
            found |= _differences(a.get(key), b.get(key), f"{at}.{key}" if at else str(key))
        return found
    named = [_by_name(value) for value in (a, b)]
    if named[0] is not None and named[1] is not None:
        return _differences(named[0], named[1], at)
    return {} if a == b else {at: [a, b]}


def _by_name(value: Any) -> dict[str, Any] | None:
    if isinstance(value, list) and value and all(isinstance(item, Mapping) and "name" in item for item in value):
        return {item["name"]: item for item in value}
    return None
