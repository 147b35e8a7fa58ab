"""Lines with times of whole evaluations: CTM (words), STM (segments with text), RTTM (who speaks when)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from .formats import LabelFormat, Options
from .place import Place
from .rows import Row, Unusable, UnusableError, channel_number, label, reference_of, shown, span, words_of

COMMENT = (";", "#")
NOT_SCORED = "ignore_time_segment_in_scoring"


def ctm(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """One row per recording and channel, its words with their times: `recording channel start duration word`."""
    spoken: list[tuple[str, int | None, str, float, float]] = []

    def flushed() -> Iterator[Row]:
        ordered = sorted(spoken, key=lambda word: (word[1] or 0, word[3]))
        for (recording, channel), words in groupby(ordered, key=lambda word: word[:2]):
            said = words_of((word, start, start + duration) for _, _, word, start, duration in words)
            yield label(
                options.recording,
                reference=reference_of(recording),
                transcript=" ".join(word["word"] for word in said),
                channel=channel,
                words=said,
            )
        spoken.clear()

    for number, line, cells in _lines(place, name):
        try:
            if len(cells) < 5:
                raise UnusableError("a word is recording, channel, start, duration, word")
            start_s, duration_s = span(cells[2], duration=cells[3])
            channel = channel_number(cells[1], first=0 if cells[1] == "0" else 1)
        except UnusableError as error:
            yield Unusable(str(error), f"line {number} of {name}: {shown(line)}")
            continue
        if spoken and spoken[-1][0] != cells[0]:
            yield from flushed()
        spoken.append((cells[0], channel, cells[4], start_s or 0.0, duration_s or 0.0))
    yield from flushed()


def stm(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """One row per segment: `recording channel speaker start end <labels> text`."""
    for number, line, _ in _lines(place, name):
        cells = line.split(None, 5)
        try:
            if len(cells) < 5:
                raise UnusableError("a segment is recording, channel, speaker, start, end, text")
            start_s, duration_s = span(cells[3], end=cells[4])
            said = cells[5] if len(cells) > 5 else ""
            if said.startswith("<"):
                said = said.partition(">")[2].strip()
            if said.strip().lower() == NOT_SCORED:
                raise UnusableError("it says of itself that it is not to be scored")
            channel = channel_number(cells[1], first=0 if cells[1] == "0" else 1)
        except UnusableError as error:
            yield Unusable(str(error), f"line {number} of {name}: {shown(line)}")
            continue
        yield label(
            options.recording,
            reference=reference_of(cells[0]),
            transcript=said,
            speaker=cells[2],
            start_s=start_s,
            duration_s=duration_s,
            channel=channel,
        )


def rttm(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """One row per turn, without text: `SPEAKER recording channel start duration <NA> <NA> speaker <NA> <NA>`."""
    for number, line, cells in _lines(place, name):
        if cells[0] != "SPEAKER":
            # other types of RTTM objects say nothing about who speaks
            continue
        try:
            if len(cells) < 8:
                raise UnusableError("a turn is SPEAKER, recording, channel, start, duration, two more, speaker")
            start_s, duration_s = span(cells[3], duration=cells[4])
            channel = channel_number(cells[2], first=0 if cells[2] == "0" else 1)
        except UnusableError as error:
            yield Unusable(str(error), f"line {number} of {name}: {shown(line)}")
            continue
        yield label(
            options.recording,
            reference=reference_of(cells[1]),
            speaker=cells[7],
            start_s=start_s,
            duration_s=duration_s,
            channel=channel,
        )


def _lines(place: Place, name: str) -> Iterator[tuple[int, str, list[str]]]:
    with place.lines(name) as lines:
        for number, line in enumerate(lines, start=1):
            cells = line.split()
            if cells and not cells[0].startswith(COMMENT):
                yield number, line, cells


def _ends(ending: str) -> Any:
    return lambda found: found.ending == ending


FORMATS = (
    LabelFormat("ctm", "lines `recording channel start duration word`", _ends(".ctm"), ctm, ".ctm"),
    LabelFormat("stm", "lines `recording channel speaker start end text`", _ends(".stm"), stm, ".stm"),
    LabelFormat("rttm", "lines `SPEAKER recording channel start duration .. speaker`", _ends(".rttm"), rttm, ".rttm"),
)
