"""How progress and tables look: rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ...schemas.counted import counted

if TYPE_CHECKING:
    from ...pipelines.work.work_units import UnitOutcome

WIDTH = None if sys.stdout.isatty() else 160
out = Console(highlight=False, soft_wrap=True, width=WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)
GAP = "  "
"""Between the columns of a table."""
MISSING = "-"
PLAIN_EVERY_S = 10.0
"""Seconds between plain progress lines."""
UNITS_BEFORE_ESTIMATE = 3
"""Finished units before a remaining time is told: the first ones end while as many others are half done."""


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    widths: Sequence[int] | None = None,
    unbroken: Sequence[str] = (),
) -> None:
    """Print a table; columns of numbers to the right. widths: of the columns; default: as there is room. unbroken:
    columns whose cells stay on one line, to be copied, also where the terminal is too narrow for that."""
    grid = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for i, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[i], int | float) or row[i] is None for row in rows)
        whole = max((len(_cell(row[i])) for row in rows), default=0) if name in unbroken else None
        grid.add_column(
            name,
            justify="right" if numeric else "left",
            overflow="fold",
            width=widths[i] if widths else None,
            min_width=whole,
            no_wrap=whole is not None,
        )
    for row in rows:
        grid.add_row(*(_cell(value) for value in row))
    out.print(grid)


def wide_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table of many columns; where the terminal is too narrow for its longest words, a block for each row instead,
    without the cells that are empty. The first column names the row."""
    cells = [[plain(value) for value in row] for row in rows]
    widths = _fitting([columns, *cells], out.width - len(GAP) * (len(columns) - 1))
    if widths is not None:
        table(title, columns, rows, widths)
        return
    say(title)
    longest = max(map(len, columns[1:]), default=0)
    for first, *rest in cells:
        say(first)
        for name, cell in zip(columns[1:], rest, strict=True):
            if cell != MISSING:
                say(f"{GAP}{name:{longest}}{GAP}{cell}")


def room_beside(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    """Letters that a line has for one more column, where these break no cell; below zero where they do not fit."""
    lines = [columns, *([plain(value) for value in row] for row in rows)]
    widths = (max(map(len, column)) for column in zip(*lines, strict=True))
    return out.width - sum(width + len(GAP) for width in widths)


def _fitting(lines: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Widths of columns that together fit into `room` letters and break no word, the widest narrowed first; None where
    there are none."""
    columns = list(zip(*lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    floors = [max((len(word) for cell in column for word in cell.split()), default=0) for column in columns]
    while sum(widths) > room:
        slack = [width - floor for width, floor in zip(widths, floors, strict=True)]
        if not any(slack):
            return None
        widths[slack.index(max(slack))] -= 1
    return widths


def say(text: str) -> None:
    """A line on standard output, taken literally."""
    out.print(text, markup=False)


def notice(text: str) -> None:
    """A line for the person at the terminal or in the log, on standard error: no part of the answer."""
    err.print(text, markup=False)


def hours(value_h: float) -> str:
    """Hours as people say them: `2.31 h`, `4.2 min`, `30.5 s`."""
    if value_h >= 1:
        return f"{value_h:,.2f} h"
    return f"{value_h * 60:.1f} min" if value_h >= 1 / 60 else f"{value_h * 3600:.1f} s"


def span(seconds: float) -> str:
    """A time as people say it: `45 s`, `12 min`, `3.4 h`."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def ago(seconds: float) -> str:
    """An age as people say it: `45 s`, `12 min`, `3.4 h`, `12 days`."""
    return span(seconds) if seconds < 48 * 3600 else f"{seconds / 86400:,.0f} days"


@contextlib.contextmanager
def counting(label: str, unit: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Progress of one count: call what this gives with (done, total). A bar on a terminal, a line every ten seconds
    elsewhere, nothing when `quiet`.

    unit: what is counted, "clips"; "bytes" are shown as MB.
    """
    begun = said = time.monotonic()
    scale, shown = (1e6, "MB") if unit == "bytes" else (1.0, unit)
    with Progress(
        TextColumn(label),
        BarColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=quiet or not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task(label, total=None, detail="")

        def tell(done: int, total: int) -> None:
            nonlocal said
            now = time.monotonic()
            elapsed = max(now - begun, 1e-3)
            left = f", about {span(elapsed * (total - done) / done)} left" if 0 < done < total else ""
            pace = done / scale / elapsed
            # of recordings of hours, 0.0129 files/s says nothing
            slow = 0 < pace < 0.5 and unit != "bytes"
            rate = f"{span(1 / pace)} each" if slow else f"{pace:,.3g} {shown}/s" if done else "starting"
            detail = f"{done / scale:,.0f}/{total / scale:,.0f} {shown}, {rate}{left}"
            bar.update(task, completed=done, total=total, detail=detail)
            if bar.disable and not quiet and now - said > PLAIN_EVERY_S:
                said = now
                err.print(f"{label}: {detail}", markup=False)

        yield tell


@contextlib.contextmanager
def working(label: str, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """For work whose amount is not known beforehand: on a terminal its name and the time that passed, elsewhere and
    when `quiet` nothing. Call what this gives with a line about the step, which a log gets too."""
    with Progress(
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=quiet or not sys.stderr.isatty(),
    ) as line:
        task = line.add_task(label, total=None)

        def tell(step: str) -> None:
            line.update(task, description=step)
            if line.disable and not quiet:
                notice(step)

        yield tell


OF_THE_DRIVER = {
    "decide": "the rules are applied to all clips",
    "assemble": "shards and tables are written",
    "gate": "the checks that the new version has to pass",
}
"""What a run does in stages of its own, which have no units."""


class Watcher:
    """Progress of a run for a person or a log.

    quiet: notices only. On a terminal a bar per stage with rate and estimate; elsewhere a line every ten seconds.
    Workers take seconds to start: that time is told by itself and is part of neither rate nor estimate.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._of_the_driver = False
        self._reset("", 0, 0.0)

    def notice(self, text: str) -> None:
        notice(text)

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None:
        self._reset(stage, items, audio_s)
        self._of_the_driver = not units
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
            detail = "workers start, then the first units" if units else OF_THE_DRIVER.get(stage, "")
            self._task = self._bar.add_task(stage, total=items if units else None, detail=detail)
        elif not units:
            err.print(f"{stage}: {OF_THE_DRIVER.get(stage, 'under way')}", markup=False)
        else:
            err.print(
                f"{stage}: {items} to do in {counted(units, 'unit')}{self._of_audio()}; workers start", markup=False
            )

    def unit(self, outcome: UnitOutcome) -> None:
        now = time.monotonic()
        self._units += 1
        self._done += outcome.done
        self._failed += outcome.failed
        self._seconds += outcome.audio_s
        # work began with the unit that started first, which need not be the first to end
        self._first = min(self._first, max(now - (outcome.finished_s - outcome.started_s), self._begun))
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done, detail=self._detail(now))
        elif not self._quiet and self._done < self._items and now - self._said > PLAIN_EVERY_S:
            self._said = now
            err.print(f"{self._stage}: {self._detail(now)}", markup=False)

    def end(self, stage: str) -> None:
        now = time.monotonic()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        if self._of_the_driver:
            if not self._quiet and now - self._begun > PLAIN_EVERY_S:
                err.print(f"{stage}: done in {span(now - self._begun)}", markup=False)
        elif not self._quiet:
            started = min(self._first, now)
            start_up = f", after {span(started - self._begun)} of starting workers" if self._units else ""
            err.print(f"{stage}: {self._detail(now)} in {span(now - started)}{start_up}", markup=False)

    def _reset(self, stage: str, items: int, audio_s: float) -> None:
        self._stage, self._items, self._audio_s = stage, items, audio_s
        self._done = self._failed = self._units = 0
        self._seconds = 0.0
        self._begun = self._said = time.monotonic()
        self._first = float("inf")

    def _of_audio(self) -> str:
        return f", {hours(self._audio_s / 3600)} of audio" if self._audio_s else ""

    def _detail(self, now: float) -> str:
        """Counts, the rate since work began, and what is left at that rate."""
        elapsed = max(now - self._first, 1e-3)
        parts = [f"{self._done}/{self._items}"]
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._seconds:
            parts.append(f"{self._seconds / elapsed:.0f}x real time")
        elif self._done:
            parts.append(f"{self._done / elapsed:.3g}/s")
        if self._done < self._items and self._units >= UNITS_BEFORE_ESTIMATE:
            share = min(self._seconds / self._audio_s, 1.0) if self._audio_s else self._done / self._items
            parts.append(f"about {span(elapsed * (1 - share) / max(share, 1e-6))} left")
        return ", ".join(parts)


def plain(value: object) -> str:
    """A value as tables show it."""
    if value is None:
        return MISSING
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def _cell(value: object) -> str:
    # brackets in file names and labels are text, not markup
    return plain(value).replace("[", "\\[")
