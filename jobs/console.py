"""How progress and tables look: rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..pipelines.units import UnitOutcome

WIDTH = None if sys.stdout.isatty() else 160
out = Console(highlight=False, soft_wrap=True, width=WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)
PLAIN_EVERY_S = 10.0
"""Seconds between plain progress lines."""


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; columns of numbers to the right."""
    grid = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for i, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[i], int | float) or row[i] is None for row in rows)
        grid.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(_cell(value) for value in row))
    out.print(grid)


def say(text: str) -> None:
    """A line on standard output, taken literally."""
    out.print(text, markup=False)


def hours(value_h: float) -> str:
    """Hours as people say them: `2.31 h`, `4.2 min`."""
    return f"{value_h:,.2f} h" if value_h >= 1 else f"{value_h * 60:.1f} min"


class Watcher:
    """Progress of a run for a person or a log.

    quiet: notices only. On a terminal a bar per stage with rate and estimate; elsewhere a line every ten seconds.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._reset("", 0, 0.0)

    def notice(self, text: str) -> None:
        err.print(text, markup=False)

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None:
        self._reset(stage, items, audio_s)
        if self._quiet:
            return
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description:8}"),
                BarColumn(),
                TextColumn("{task.fields[detail]}"),
                TimeElapsedColumn(),
                console=err,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(stage, total=items, detail="starting workers")
        else:
            err.print(f"{stage}: {items} to do in {units} units{self._of_audio()}", markup=False)

    def unit(self, outcome: UnitOutcome) -> None:
        self._done += outcome.done
        self._failed += outcome.failed
        self._seconds += outcome.audio_s
        # the workers' start-up is not part of the rate
        self._first = min(self._first, time.monotonic() - (outcome.finished_s - outcome.started_s))
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, detail=self._detail())
        elif not self._quiet and time.monotonic() - self._said > PLAIN_EVERY_S:
            self._said = time.monotonic()
            err.print(f"{self._stage}: {self._detail()}", markup=False)

    def end(self, stage: str) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        if not self._quiet:
            err.print(f"{stage}: {self._detail()} in {time.monotonic() - self._begun:.0f} s", markup=False)

    def _reset(self, stage: str, items: int, audio_s: float) -> None:
        self._stage, self._items, self._audio_s = stage, items, audio_s
        self._done = self._failed = 0
        self._seconds = 0.0
        self._begun = self._said = time.monotonic()
        self._first = float("inf")

    def _of_audio(self) -> str:
        return f", {hours(self._audio_s / 3600)} of audio" if self._audio_s else ""

    def _detail(self) -> str:
        elapsed = max(time.monotonic() - self._first, 1e-3)
        parts = [f"{self._done}/{self._items}"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._seconds:
            parts.append(f"{self._seconds / elapsed:.0f}x real time")
        left = self._items - self._done
        if left and self._done:
            share = self._seconds / self._audio_s if self._audio_s else self._done / self._items
            parts.append(f"about {elapsed * (1 - share) / max(share, 1e-6):.0f} s left")
        return ", ".join(parts)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    # brackets in file names and labels are text, not markup
    return str(value).replace("[", "\\[")
