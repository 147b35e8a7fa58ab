"""Verbs that delete: they say what would go, ask on a terminal, and delete. Scripts give `--yes`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import typer

from ...schemas.counted import counted
from ...schemas.errors import NotConfirmedError
from . import console
from .answer import answer

Found = TypeVar("Found")


@dataclass(frozen=True)
class Going:
    """What would be deleted, or was, as the command reports it."""

    lines: Sequence[str]
    """For a person: counts, files and bytes last."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What `--json` says besides `deleted` and `files`."""
    files: Sequence[tuple[str, int]] = ()
    """Path and bytes of the files."""
    nothing: bool = False
    """There is nothing to do: nobody is asked."""


def delete(
    look: Callable[[], Found],
    act: Callable[[], Found],
    told: Callable[[Found, bool], Going],
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool = False,
) -> None:
    """Find what would go, ask, and delete it.

    look: finds what would go, without touching it. act: deletes, and gives what went. told: either of them in words
    and facts; its second argument says whether it was done. quiet: leaves out the list of files.
    Raises `NotConfirmedError` where nobody can be asked and `yes` was not given, and when the answer is no.
    """
    if dry_run or not yes:
        found = told(look(), False)
        _say(found, False, as_json, quiet)
        if dry_run or found.nothing:
            return
        if as_json or not at_a_terminal():
            raise NotConfirmedError(
                "nothing was done: this command deletes, and it cannot ask without a terminal or with --json. "
                "Give --yes, or --dry-run to only look"
            )
        if not typer.confirm("Go ahead?", default=False, err=True):
            raise NotConfirmedError("nothing was done: the answer was no")
    _say(told(act(), True), True, as_json, quiet)


def at_a_terminal() -> bool:
    """Whether somebody can see a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def megabytes(files: Sequence[tuple[str, int]]) -> str:
    """`3 files, 1.2 MB`."""
    return f"{counted(len(files), 'file')}, {sum(size for _, size in files) / 1e6:,.1f} MB"


def _say(going: Going, done: bool, as_json: bool, quiet: bool) -> None:
    def printed() -> None:
        # listed once: what went is what was listed before the question
        if not quiet:
            for path, size in going.files:
                console.say(f"{size:>12,}  {path}")
        for line in going.lines:
            console.say(line)

    facts = {
        "deleted": done,
        **going.facts,
        "num_files": len(going.files),
        "num_bytes": sum(size for _, size in going.files),
        "files": [{"path": path, "num_bytes": size} for path, size in going.files],
    }
    answer(as_json, facts, printed)
