"""Named curricula of a version as the report shows them: stages, what epochs draw, what to hear, what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

from markupsafe import Markup

from ...loaders.copies.curriculum_diff import ABSENT, curriculum_diff
from ...loaders.reading.curricula import NamedCurriculum
from ...schemas.curriculum import LEFT_OUT, CurriculumDocument
from ...schemas.curriculum_spec import Phase
from ..drawing import charts

AUDIT_SHOWN = 20
PAIRS_SHOWN = 10
MOVES_SHOWN = 3


@dataclass(frozen=True)
class Shown:
    """One curriculum as the template has it."""

    id: str
    document: CurriculumDocument
    bar: Markup
    """Hours by stage, and what is in none."""
    stages: list[dict[str, Any]]
    phases: list[dict[str, Any]]
    """First epoch, last (None: no end), and for each stage its share of an epoch's hours with a small bar."""
    left_out: list[tuple[str, int]]
    audit: list[dict[str, Any]]
    """The first clips to be heard: key, difficulty, path, transcript."""
    conditions: list[str]
    """What clips of all stages satisfy, in words."""


def shown(found: Sequence[NamedCurriculum], clips: Mapping[str, Mapping[str, Any]]) -> list[Shown]:
    """Everything that the page says of them. clips: key to `path` and `transcript` of those to be heard."""
    return [_shown(each, clips) for each in found]


def heard(found: Sequence[NamedCurriculum]) -> list[str]:
    """Keys of the clips that the page lists."""
    return [key for each in found for key in each.document.audit[:AUDIT_SHOWN]]


def differences(found: Sequence[NamedCurriculum]) -> list[dict[str, Any]]:
    """For pairs of curricula: the share of clips in the same place, and the largest moves between others."""
    rows = []
    for a, b in islice(combinations(found, 2), PAIRS_SHOWN):
        made = curriculum_diff(a, b)
        moves = [move for move in made.moves if move.a != move.b and ABSENT not in (move.a, move.b)]
        rows.append({"a": a.id, "b": b.id, "same": made.same_share, "moves": moves[:MOVES_SHOWN],
                     "spec": [key for key in made.spec if key != "name"]})  # fmt: skip
    return rows


def _shown(found: NamedCurriculum, clips: Mapping[str, Mapping[str, Any]]) -> Shown:
    document = found.document
    hours = {row["clip"]: row for row in found.table.select(["clip", "difficulty"]).to_pylist()}
    most = max(stage.hours for stage in document.stages)
    parts = [
        (stage.name, stage.clips, "kept" if i % 2 == 0 else "kept pale") for i, stage in enumerate(document.stages)
    ]
    parts += [(LEFT_OUT.get(reason, reason), count, "alias") for reason, count in document.left_out.items()]
    ends = [phase.epoch - 1 for phase in document.phases[1:]]
    return Shown(
        id=found.id,
        document=document,
        bar=charts.stacked_bar(parts, f"Clips of {found.id}"),
        stages=[
            stage.model_dump()
            | {"bar": charts.bar(stage.hours, most, "kept", stage.hours), "conditions": _conditions(spec)}
            for stage, spec in zip(document.stages, document.spec.get("stages") or [], strict=True)
        ],
        phases=[
            {"first": phase.epoch, "last": last, "shares": _shares(phase, document)}
            for phase, last in zip(document.phases, [*ends, None], strict=True)
        ],
        left_out=[(LEFT_OUT.get(reason, reason), count) for reason, count in document.left_out.items()],
        audit=[
            {"clip": key, "difficulty": hours.get(key, {}).get("difficulty")}
            | {name: (clips.get(key) or {}).get(name) for name in ("path", "transcript")}
            for key in document.audit[:AUDIT_SHOWN]
        ],
        conditions=_conditions(document.spec),
    )


def _shares(phase: Phase, document: CurriculumDocument) -> list[tuple[float, Markup]]:
    """Of each stage: its part of the hours of an epoch."""
    weights = [phase.weights.get(stage.name, 0.0) for stage in document.stages]
    if phase.repeats or phase.measure == "clips":
        mean = [
            stage.hours if phase.repeats else stage.hours / stage.clips if stage.clips else 0.0
            for stage in document.stages
        ]
        weights = [weight * size for weight, size in zip(weights, mean, strict=True)]
    total = sum(weights) or 1.0
    return [(weight / total, charts.bar(weight, total, "kept", weight)) for weight in weights]


def _conditions(spec: Mapping[str, Any]) -> list[str]:
    """A stage's conditions, or those of all stages, as one would say them. From the spec as it is on disk, which a
    newer auricle may have written: what is not known is left out."""
    said = [f"tier {' or '.join(spec['tiers'])}"] if spec.get("tiers") else []
    for rule in spec.get("rules") or ():
        signs = (("min", ">="), ("max", "<="), ("equals", "="))
        said += [f"{rule['score']} {sign} {rule[key]}" for key, sign in signs if rule.get(key) is not None]
    for found in spec.get("quantiles") or ():
        said.append(f"{found['score']} in the quantiles {found.get('min', 0):g} to {found.get('max', 1):g}")
    quotas = spec.get("quotas")
    if quotas:
        said.append("exactly " + ", ".join(f"{count} of {value}" for value, count in quotas["clips"].items()))
    return said
