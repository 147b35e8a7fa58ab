"""Versions, plans and tables as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from ...loaders.reading.version import Version
from ...loaders.reading.where import Where
from ...schemas.tables import TRIES, FailureClass, kind_of
from ..terminal import console

if TYPE_CHECKING:
    from ...pipelines.plan import Plan

CLIP_COLUMNS = ("clip", "status", "tier", "reasons", "duration_s", "speaker", "language", "path", "channel")


def print_version(version: Version) -> None:
    """What a version holds and how it came about."""
    d = version.document
    where = version.store.root or version.store.url
    counts = d.counts
    console.say(f"version {d.number} of {where}  ({d.kind}, {d.created}, gate: {d.gate.verdict})")
    console.say(
        f"files {counts.files:,} = {counts.decoded:,} decoded + {counts.aliases:,} aliases of known bytes "
        f"+ {counts.failed_files:,} failed"
    )
    console.say(
        f"clips {counts.clips:,} = {counts.kept:,} kept + {counts.dropped:,} dropped + {counts.failed:,} failed; "
        f"{console.hours(d.hours.get('clips', 0))}, of which {console.hours(d.hours.get('kept', 0))} kept"
    )
    if d.kept_by_tier:
        console.say("kept by tier: " + ", ".join(f"{tier} {n:,}" for tier, n in d.kept_by_tier.items()))
    reasons = [("dropped", r, n) for r, n in d.dropped_by_reason.items()]
    passing = {r: n for r, n in d.failed_by_reason.items() if kind_of(r) is FailureClass.MOMENT}
    reasons += [("failed", r, n) for r, n in d.failed_by_reason.items() if r not in passing]
    reasons += [("failed for now", r, n) for r, n in passing.items()]
    if reasons:
        console.table("", ("", "reason", "clips or files"), reasons)
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


def print_clips(version: Version, where: str | None, limit: int) -> None:
    """The first `limit` clips for which `where` holds, in the order of the table, with their keys.

    Raises `ConfigError` for a condition that cannot be used.
    """
    files = version.files()
    test = Where(where, pq.read_schema(files[-1])) if where and files else None
    shown: list[tuple[Any, ...]] = []
    total = 0
    for file in files:
        names = pq.read_schema(file).names
        read = dict.fromkeys([*CLIP_COLUMNS, *(test.columns if test else ())])
        table = pq.read_table(file, columns=[name for name in read if name in names])
        if test is not None:
            table = table.filter(test.mask(table))
        total += table.num_rows
        for row in table.slice(0, limit - len(shown)).to_pylist():
            verdict = row["tier"] or "" if row["status"] == "kept" else ", ".join(row["reasons"] or ())
            shown.append(
                (row["clip"], row["status"], verdict, row["duration_s"], row["speaker"], row["language"],
                 row["path"], row["channel"])
            )  # fmt: skip
    heads = ("clip", "status", "tier or reasons", "s", "speaker", "lang", "path", "ch")
    console.table("", heads, shown)
    more = f"; --limit {total} lists all" if total > len(shown) else ""
    console.say(f"{len(shown):,} of {total:,} clips{' where ' + where if where else ''}{more}")


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
            f"nothing new against {base}: {plan.files:,} files are unchanged; a run would do and publish nothing"
        )
        return
    console.say(f"against {base}, a run would:")
    rows: list[tuple[Any, ...]] = [
        ("files unchanged", plan.known_files, None),
        ("files new", plan.new_files, round(plan.new_hours, 3) if plan.new_files or plan.changed_files else None),
        ("files changed", plan.changed_files, None),
        ("files gone", plan.gone_files, None),
        ("clips known", plan.clips, round(plan.hours, 3)),
    ]
    rows += [(f"score {name}", n, round(h, 3)) for name, (n, h) in plan.to_score.items()]
    rows += [(f"extract {name}", n, round(h, 3)) for name, (n, h) in plan.to_extract.items()]
    rows.append(("kept/dropped flips", plan.flips, None))
    console.table("", ("what", "count", "hours"), rows)
    if plan.new_files or plan.changed_files:
        console.say(
            "new and changed files are hashed, decoded, scored, and extracted when they are kept, on top of that"
        )
    for name in plan.unfinished:
        state = f"is in progress ({plan.held_by})" if plan.held_by else "is unfinished, the next run resumes it"
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
