"""A named curriculum, and the difference of two, as the terminal shows them."""

from __future__ import annotations

import json
from typing import Any

from ...loaders.copies.curriculum_diff import CurriculumDiff
from ...loaders.reading.curricula import NamedCurriculum
from ...schemas.counted import counted
from ...schemas.curriculum import LEFT_OUT, CurriculumDocument
from ..terminal import console

AUDIT_SHOWN = 10


def print_made(curriculum: NamedCurriculum, path: str, new: bool) -> None:
    """Stages, pacing, what is in no stage, and the clips to be heard."""
    document = curriculum.document
    console.say(f"{curriculum.id}{'' if new else ': was there already, with the same content'}")
    rows: list[tuple[Any, ...]] = [
        (s.name, s.clips, round(s.hours, 3), s.tokens, s.speakers or "-", s.median_difficulty) for s in document.stages
    ]
    console.table(
        "", ("stage", "clips", "hours", "tokens (all codebooks)", "speakers", "median difficulty, bit/s"), rows
    )
    for phase in document.phases:
        kind = f"shares of {phase.measure}" if phase.shares else "repeats"
        console.say(
            f"from epoch {phase.epoch}: "
            + ", ".join(f"{n} {w:g}" for n, w in phase.weights.items() if w)
            + f" ({kind})"
        )
    for reason, clips in document.left_out.items():
        console.say(f"in no stage: {counted(clips, 'clip')}, {LEFT_OUT.get(reason, reason)}")
    if document.small_strata:
        small = counted(document.small_strata, "clip is", "clips are")
        console.say(f"{small} in strata of fewer than 5: quantiles there say little")
    if said := document.inputs.on_difficulty():
        console.say(said)
    if rounded := _rounded_up(document):
        console.say(rounded)
    for key in document.audit[:AUDIT_SHOWN]:
        console.say(f"to hear: {key}")
    if len(document.audit) > AUDIT_SHOWN:
        console.say(f"to hear: {len(document.audit) - AUDIT_SHOWN:,} more; --json lists all of them")
    console.say(path)


def _rounded_up(document: CurriculumDocument) -> str:
    """Where whole clips make the audit a larger share than was asked for: by how much; empty where they do not."""
    share = (document.spec.get("audit") or {}).get("share")
    clips = sum(stage.clips for stage in document.stages) + sum(
        n for reason, n in document.left_out.items() if reason != "rules"
    )
    if share is None or not clips or len(document.audit) <= round(share * clips, 9):
        return ""
    taken = counted(len(document.audit), "whole clip")
    return f"audit: {share:g} of {counted(clips, 'clip')} is {share * clips:.3g}, rounded up to {taken}"


def print_diff(found: CurriculumDiff) -> None:
    """What differs, and which clips moved."""
    console.say(f"a: {found.a}")
    console.say(f"b: {found.b}")
    for what, differences in (("spec", found.spec), ("inputs", found.inputs)):
        for key, (one, two) in differences.items():
            console.say(f"{what}: {key}: {_short(one)} in a, {_short(two)} in b")
    rows = [(move.a, move.b, move.clips, round(move.hours, 3)) for move in found.moves]
    console.table("", ("in a", "in b", "clips", "hours"), rows)
    console.say(f"{found.same_share:.1%} of the clips that both know are in the same place")
    for side, keys in found.audit.items():
        if keys:
            console.say(f"set aside for audit only by {side}: {counted(len(keys), 'clip')}")


def _short(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
