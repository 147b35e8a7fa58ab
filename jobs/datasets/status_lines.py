"""How a dataset stands, as the command prints it: a line for each thing, and what to do where there is something."""

from __future__ import annotations

from collections.abc import Iterator

from ...pipelines.upkeep.status import DatasetStatus, UnfinishedRun
from ...schemas.counted import counted
from ..terminal import console

NEXT = {
    "going on": "",
    "unfinished": "give the same command again to go on, or `auricle abandon DATASET {run}`",
    "refused by the gate": "read `gate.checks` in runs/{run}/candidate-*.json, change the cause and run again",
    "published, to be tidied": "its version is published: `auricle abandon DATASET {run}` removes what is left",
}
"""What to do about a run, by its state."""


def print_status(found: DatasetStatus) -> None:
    """The newest version first, then what is unfinished or waits."""
    for line in lines(found):
        console.say(line)


def lines(found: DatasetStatus) -> Iterator[str]:
    """What `print_status` prints."""
    yield f"dataset      {found.dataset}"
    if found.newest is None:
        yield "newest       no version is published yet"
    else:
        n = found.newest
        yield (
            f"newest       version {n.version} by {n.kind}, {console.ago(n.age_s)} old ({n.created}): {n.kept:,} of "
            f"{counted(n.clips, 'clip')} kept, {console.hours(n.kept_hours)}; gate: {n.gate}"
        )
    yield f"versions     {found.versions:,} can be opened" + _tags(found.tags)
    yield f"lease        {f'held by {found.held_by}' if found.held_by else 'free'}"
    for run in found.unfinished:
        yield from _run(run)
    if not found.unfinished:
        yield "unfinished   no run"
    if found.interrupted_pull:
        yield "pull         a pull into this folder is running or was interrupted; the same `auricle pull` resumes it"
    for begun in found.pending:
        kind = "purge" if begun.purge else "takedown"
        yield f"pending      a {kind} is running or was interrupted ({begun.path})"
        yield "             `auricle takedown DATASET` finishes it"
    for gone in found.retired:
        when = f"by a takedown ({gone.retired})"
        yield f"retired      version {gone.version} {when}; version {gone.successor} replaces it"


def _run(run: UnfinishedRun) -> Iterator[str]:
    yield (
        f"unfinished   {run.verb} {run.run} ({run.state}): {counted(run.files, 'file')}, "
        f"{run.num_bytes / 1e6:,.1f} MB, last written {console.ago(run.age_s)} ago"
    )
    if NEXT[run.state]:
        yield f"             {NEXT[run.state].format(run=run.run)}"


def _tags(tags: dict[str, int]) -> str:
    return "; tags: " + ", ".join(f"{name} = {number}" for name, number in sorted(tags.items())) if tags else ""
