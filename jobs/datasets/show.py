"""Versions, plans and differences as people read them."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from ...loaders.reading.version import Version
from ...loaders.storage.parts import read_columns
from ...schemas.counted import counted
from ...schemas.tables import TRIES, FailureClass, kind_of
from ..terminal import console
from .damaged import damaged
from .reasons import several, unmeasured

if TYPE_CHECKING:
    from ...loaders.copies.diff import Diff
    from ...pipelines.plan import Plan
    from ...schemas.undecided import Undecided
    from ...schemas.version import VersionDocument

WIDE = 0.3
"""Of an interval of a share of wrong texts."""
SOURCES = 5
"""Sources whose share of wrong texts is printed."""


def print_version(version: Version) -> None:
    """What a version holds and how it came about."""
    d = version.document
    where = version.store.root or version.store.url
    counts = d.counts
    console.say(f"version {d.number} of {where}  ({d.kind}, {d.created}, gate: {d.gate.verdict})")
    copies_failed = _copies_of_failed(version)
    also = f" + {counted(copies_failed, 'copy', 'copies')} of {'it' if counts.failed_files == 1 else 'them'}"
    console.say(
        f"files {counts.files:,} = {counts.decoded:,} decoded + {counts.aliases - copies_failed:,} copies of them, "
        f"byte for byte, + {counts.failed_files:,} failed{also if copies_failed else ''}"
    )
    console.say(
        f"clips {counts.clips:,} = {counts.kept:,} kept + {counts.dropped:,} dropped + {counts.failed:,} failed; "
        f"{console.hours(d.hours.get('clips', 0))}, of which {console.hours(d.hours.get('kept', 0))} kept"
    )
    _print_damaged(version)
    if d.kept_by_tier:
        console.say("kept by tier: " + ", ".join(f"{tier} {n:,}" for tier, n in d.kept_by_tier.items()))
    for score, sources in d.wrong_texts.items():
        worst = sorted(sources.items(), key=lambda item: -item[1].share)
        said = ", ".join(
            f"{source} {100 * s.share:.1f} % ({100 * s.low:.1f} to {100 * s.high:.1f})" for source, s in worst[:SOURCES]
        )
        more = f" and {len(worst) - SOURCES} more sources" if len(worst) > SOURCES else ""
        if said:
            console.say(f"wrong texts by {score}, estimated: {said}{more}{_bounds(d, score)}")
            if any(s.high - s.low > WIDE for s in sources.values()):
                console.say("with so wide an interval a share is mostly an assumption: there are too few clips to tell")
    reasons = [("dropped", r, n) for r, n in d.dropped_by_reason.items()]
    passing = {r: n for r, n in d.failed_by_reason.items() if kind_of(r) is FailureClass.MOMENT}
    reasons += [("failed", r, n) for r, n in d.failed_by_reason.items() if r not in passing]
    reasons += [("failed for now", r, n) for r, n in passing.items()]
    if reasons:
        console.table("", ("", "reason", "clips or files"), reasons)
    _print_overlap(version)
    if passing:
        console.say(
            f"{sum(passing.values()):,} failed for reasons of the moment: later runs try them again by themselves, "
            f"{TRIES} times in all, then with --retry-failed"
        )
    rows = [
        (name, entry.live, len(entry.shards), _megabytes(entry.shards), _shape(entry.spec), _mark(name, d.untrained))
        for name, entry in d.representations.items()
    ]
    if rows:
        console.table("", ("representation", "clips", "shards", "MB", "shape", ""), rows)
    for check in d.gate.checks:
        if not check.success:
            console.say(
                f"gate {check.severity}: {check.expectation}: required {check.required}, observed {check.observed}"
            )


def _bounds(document: VersionDocument, score: str) -> str:
    """What bounds on a score meant where so many texts are wrong."""
    # the report says it in the same words
    from ...dashboards.drawing.rules import moved_words, rules_of, tier_moves

    moved = [(rule, moved_words(rule, document)) for rule in rules_of(document.config) if rule.score == score]
    lines = [f"{rule.reason}: {score} {words}" for rule, words in moved if words]
    said = "; ".join([*lines, *tier_moves(document, score)])
    return f". {said} (docs/transcript_trust.md)" if said else ""


def _print_overlap(version: Version) -> None:
    """Why the counts by reason do not say all: clips with several reasons, and those without the score of a rule."""
    d = version.document
    if clips := several(version):
        under = "has several reasons and counts" if clips == 1 else "have several reasons and count"
        console.say(
            f"{clips:,} of {counted(d.counts.dropped, 'dropped clip')} {under} under each, so the counts by reason add "
            "up to more"
        )
    for one in unmeasured(version):
        console.say(one.line)


def _print_damaged(version: Version) -> None:
    """How many decoded recordings are not whole, and what is wrong with the first."""
    found = damaged(version, 1)
    if not found.total:
        return
    ((path, message),) = found.examples
    console.say(
        f"of the decoded files {found.total:,} {'is' if found.total == 1 else 'are'} damaged, and what is left of "
        f"{'it' if found.total == 1 else 'them'} is used: {path}: {message}"
        f"{'' if found.total == 1 else ', and others'}; `auricle show DATASET --clips --columns message "
        "--where \"contains(message, 'damaged recording')\"` lists the clips"
    )


def _copies_of_failed(version: Version) -> int:
    """Further paths with the bytes of a file that does not decode; the document counts them among the aliases."""
    counts = version.document.counts
    if not counts.aliases or not counts.failed_files:
        return 0
    copies = 0
    for file in version.recording_files():
        table = read_columns(file, ["status", "aliases"])
        paths = pc.list_value_length(table.filter(pc.equal(table["status"], "failed"))["aliases"])
        copies += pc.sum(paths).as_py() or 0
    return copies - counts.failed_files


def print_undecided(found: Iterable[Undecided]) -> None:
    """What rules leave undecided, and what each choice would cost."""
    for one in found:
        for line in one.lines:
            console.say(line)


def print_diff(found: Diff, newest: bool = False) -> None:
    """What changed between two versions. newest: the second was left to the command."""
    console.say(
        f"from version {found.a}{', its parent,' if found.a == found.parent else ''} to version {found.b}"
        f"{', the newest' if newest else ''}"
    )
    console.table("", ("count", str(found.a), str(found.b)), [(name, *pair) for name, pair in found.counts.items()])
    moves = [("came in", why, n) for why, n in found.came.items()]
    moves += [("went out", why, n) for why, n in found.went.items()]
    moves += [("only after", why, n) for why, n in found.new.items()]
    moves += [("only before", why, n) for why, n in found.gone.items()]
    moves += [("status", why, n) for why, n in found.flips.items()]
    moves += [("label", why, n) for why, n in found.relabelled.items() if n]
    if moves:
        console.table("", ("clips", "why", "n"), moves)
    shifted = [(s.score, s.unit, *s.mean, s.changed, s.mean_change) for s in found.scores if s.changed]
    if shifted:
        console.table("", ("score", "unit", "mean before", "mean after", "changed", "by"), shifted)
    hours = [(h.by, h.value or "-", round(h.a, 3), round(h.b, 3)) for h in found.hours if h.a != h.b]
    if hours:
        console.table("", ("hours kept by", "", "before", "after"), hours)
    for line in (*found.schema, *found.config):
        console.say(line)


def plan_facts(plan: Plan) -> dict[str, Any]:
    """What `auricle plan --json` says."""
    work = {
        name: {model: {"clips": n, "hours": h} for model, (n, h) in items.items()}
        for name, items in (("to_score", plan.to_score), ("to_extract", plan.to_extract))
    }
    return vars(plan) | work


def print_plan(plan: Plan) -> None:
    """What a run would do."""
    base = f"version {plan.version}" if plan.version else "no version yet"
    for notice in plan.notices:
        console.say(f"note: {notice}")
    for reason, count in plan.to_try_again.items():
        console.say(f"{count:,} failed for now ({reason}): a run tries them again")
    for reason, count in plan.given_up.items():
        console.say(f"{count:,} failed for now {TRIES} times ({reason}): a run tries them again with --retry-failed")
    if plan.unchanged:
        console.say(
            f"nothing new against {base}: {counted(plan.files, 'file is', 'files are')} unchanged; a run would do and "
            "publish nothing"
        )
        return
    console.say(f"against {base}, a run would:")
    # the estimate is of all files that are opened: it stands where their count does
    opened = round(plan.new_hours, 3)
    rows: list[tuple[Any, ...]] = [
        ("files unchanged", plan.known_files, None),
        ("files new", plan.new_files, opened if plan.new_files and not plan.changed_files else None),
        ("files changed", plan.changed_files, opened if plan.changed_files and not plan.new_files else None),
    ]
    if plan.new_files and plan.changed_files:
        rows.append(("files new or changed", plan.new_files + plan.changed_files, opened))
    rows += [
        ("files gone", plan.gone_files, None),
        ("clips known", plan.clips, round(plan.hours, 3)),
    ]
    rows += [(f"score {name}", n, round(h, 3)) for name, (n, h) in plan.to_score.items()]
    rows += [(f"extract {name}", n, round(h, 3)) for name, (n, h) in plan.to_extract.items()]
    rows += [(f"dropped: {reason}", n, None) for reason, n in plan.unmet.items()]
    rows.append(("kept/dropped flips", plan.flips, None))
    console.table("", ("what", "count", "hours"), rows)
    print_undecided(plan.undecided)
    for one in plan.unscored:
        console.say(one.line)
    if plan.new_files or plan.changed_files:
        console.say(
            "new and changed files are hashed, decoded, scored, and extracted when they are kept, on top of that"
        )
    for name in plan.unfinished:
        if plan.held_by:
            state = f"is in progress ({plan.held_by})"
        elif name in plan.refused:
            state = f"was refused by the gate ({plan.refused[name]}); the next run judges it again, with what changed"
        else:
            state = "is unfinished, the next run resumes it"
        console.say(f"run {name} {state}: what it has done is counted as done")
    if plan.held_by and not plan.unfinished:
        console.say(f"{plan.held_by} holds the dataset now: a run would wait with --wait, else exit with 75")


def _megabytes(shards: list[Any]) -> float:
    return round(sum(s.num_bytes for s in shards) / 1e6, 1)


def _shape(spec: Any) -> str:
    entries = f" of {spec.cardinality}" if spec.cardinality else ""
    return f"{spec.dtype} [{spec.rows}{entries}, T] at {spec.frame_rate:g} Hz"


def _mark(name: str, untrained: list[str]) -> str:
    return "UNTRAINED weights" if name in untrained else ""
