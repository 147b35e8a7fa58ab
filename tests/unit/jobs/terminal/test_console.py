"""Progress that can be believed: start-up apart, a rate since work began, an estimate from it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from auricle.jobs.terminal import console
from auricle.jobs.terminal.console import Watcher, span
from auricle.pipelines.work.work_units import UnitOutcome


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(console.time, "monotonic", made)
    return made


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    out = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=out, width=200, highlight=False))
    return out


def outcome(seconds: float, audio_s: float) -> UnitOutcome:
    return UnitOutcome("u", 10, 0, audio_s, seconds, 0.0, seconds, 1)


def test_start_up_is_told_by_itself_and_is_in_neither_rate_nor_estimate(clock: Clock, lines: io.StringIO) -> None:
    """Two workers start in 20 s and take 12 s for every unit of 10 clips and 120 s of audio: 20 times real time."""
    watcher = Watcher()
    watcher.begin("score", 60, 720.0, 6)
    for at in (132.0, 132.0, 144.0):
        clock.now = at
        watcher.unit(outcome(12.0, 120.0))
    for at in (144.0, 156.0, 156.0):
        clock.now = at
        watcher.unit(outcome(12.0, 120.0))
    watcher.end("score")
    assert lines.getvalue().splitlines() == [
        "score: 60 to do in 6 units, 12.0 min of audio; workers start",
        "score: 10/60, 10x real time",
        "score: 30/60, 15x real time, about 24 s left",
        "score: 50/60, 17x real time, about 7 s left",
        "score: 60/60, 20x real time in 36 s, after 20 s of starting workers",
    ]


def test_what_the_driver_does_itself_is_said_when_it_begins_and_its_time_where_it_is_long(
    clock: Clock, lines: io.StringIO
) -> None:
    watcher = Watcher()
    for stage, took in (("decide", 2.0), ("gate", 31.0)):
        watcher.begin(stage, 0, 0.0, 0)
        clock.now += took
        watcher.end(stage)
    assert lines.getvalue().splitlines() == [
        "decide: the rules are applied to all clips",
        "gate: the checks that the new version has to pass",
        "gate: done in 31 s",
    ]


def test_work_without_known_audio_is_estimated_by_items(clock: Clock, lines: io.StringIO) -> None:
    watcher = Watcher()
    watcher.begin("probe", 40, 0.0, 4)
    for at in (111.0, 121.0, 132.0):
        clock.now = at
        watcher.unit(outcome(10.0, 0.0))
    assert lines.getvalue().splitlines()[-1] == "probe: 30/40, 0.968/s, about 10 s left"


def test_quiet_says_notices_only(clock: Clock, lines: io.StringIO) -> None:
    watcher = Watcher(quiet=True)
    watcher.begin("probe", 10, 0.0, 1)
    clock.now = 200.0
    watcher.unit(outcome(10.0, 0.0))
    watcher.end("probe")
    watcher.begin("gate", 0, 0.0, 0)
    clock.now = 300.0
    watcher.end("gate")
    watcher.notice("resuming")
    assert lines.getvalue() == "resuming\n"


def test_a_count_tells_rate_and_what_is_left_every_ten_seconds(clock: Clock, lines: io.StringIO) -> None:
    with console.counting("pulling", "bytes") as tell:
        for at, done in ((105.0, 100), (111.0, 220), (112.0, 240), (150.0, 1000)):
            clock.now = at
            tell(done * 1_000_000, 1_000_000_000)
    assert lines.getvalue().splitlines() == [
        "pulling: 220/1,000 MB, 20 MB/s, about 39 s left",
        "pulling: 1,000/1,000 MB, 20 MB/s",
    ]


def test_what_takes_long_each_is_said_as_time_each(clock: Clock, lines: io.StringIO) -> None:
    with console.counting("scoring", "files") as tell:
        clock.now = 178.0
        tell(1, 3)
    assert lines.getvalue() == "scoring: 1/3 files, 78 s each, about 3 min left\n"


def test_times_are_said_as_people_say_them() -> None:
    assert [span(s) for s in (0.4, 99.0, 100.0, 3000.0, 12240.0)] == ["0 s", "99 s", "2 min", "50 min", "3.4 h"]


@pytest.mark.parametrize("width", [40, 60, 100, 160])
def test_a_wide_table_breaks_no_word_whatever_the_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.StringIO()
    monkeypatch.setattr(console, "out", Console(file=printed, width=width, highlight=False, soft_wrap=True))
    columns = ("representation", "raw bit/s", "code rate bit/s", "of raw", "nat at 80 ms", "dimensions", "over")
    rows = [
        ("mimi-codes-12.5hz", "1,100", "612.4 (598 to 626)", "56%", "-", "-", "338 clips, 71 by speaker"),
        ("builtin-latents-12.5hz", "-", "-", "-", "3.214 (3.1 to 3.3)", "40 of 64", None),
    ]
    console.wide_table("how predictable", columns, rows)
    said = printed.getvalue()
    for words in (cell for row in rows for cell in row if cell):
        for word in words.split():
            assert word in said, (width, word)
    assert ("  code rate bit/s  612.4 (598 to 626)" in said) == (width < 80)
    if width < 80:
        assert max(map(len, said.splitlines())) <= 46
    else:
        assert max(len(line.rstrip()) for line in said.splitlines()) <= width
    if width < 80:
        assert said.count("nat at 80 ms") == 1, "cells that are empty are left out"
