"""Subtitles: SRT, WebVTT (with YouTube's rolling repeats removed), TTML. Each cue is a span with its text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from ...schemas.errors import ConfigError
from .beside import stem
from .formats import Found, LabelFormat, Options
from .place import Place
from .rows import Row, Unusable, UnusableError, label, reference_of, shown, span

ARROW = re.compile(r"^\s*(\S{1,40})\s*-->\s*(\S{1,40})")
CLOCK = re.compile(r"^(?:(\d{1,6}):)?(\d{1,6}):(\d{1,6})(?:[.,:](\d{1,9}))?$")
TAG = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,200}\}")
VOICE = re.compile(r"<v(?:\.[^ >]{0,100})?\s+([^>]{1,200})>")
OFFSET = re.compile(r"^(\d{1,12}(?:\.\d{1,9})?)(h|m|s|ms|f|t)$")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
MARK = re.compile(r"^\d+\s*$")
FOLLOWS_S = 0.05
"""Pause after which a line that is shown again is said again, and no rolling caption."""
INSIDE = ("NOTE", "STYLE", "REGION")
"""Blocks of WebVTT that hold no cue."""


def cues(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """A row per cue of an SRT or WebVTT file, repeated lines of rolling captions once."""
    known: dict[str, Any] = {
        "path": options.recording,
        "reference": reference_of(_stem(name)),
        "language": _language(name),
    }
    shown_before: list[str] = []
    ended_s = 0.0
    for at, first, last, lines in _blocks(place, name):
        try:
            start_s, end_s = clock(first), clock(last)
            start_s, duration_s = span(start_s, end=end_s)
        except UnusableError as error:
            yield Unusable(str(error), f"line {at} of {name}: {shown(f'{first} --> {last}')}")
            continue
        voice = next((match.group(1) for line in lines if (match := VOICE.search(line))), None)
        said = [text for line in lines if (text := " ".join(html.unescape(TAG.sub("", line)).split()))]
        follows = (start_s or 0.0) - ended_s < FOLLOWS_S
        new = without_repeat(shown_before, said) if follows else said
        if said:
            shown_before, ended_s = said, (start_s or 0.0) + (duration_s or 0.0)
        if new:
            yield label(**known, transcript=" ".join(new), speaker=voice, start_s=start_s, duration_s=duration_s)


def without_repeat(before: list[str], lines: list[str]) -> list[str]:
    """Lines of a cue that the cue before it did not show already at its end: captions that roll up."""
    for length in range(min(len(before), len(lines)), 0, -1):
        if before[-length:] == lines[:length]:
            return lines[length:]
    return lines


def clock(found: str) -> float:
    """Seconds of "1:02:03.500", "02:03,5" or "00:00:01:500". Raises `UnusableError`."""
    match = CLOCK.match(found)
    if match is None:
        raise UnusableError("a time is not hours:minutes:seconds")
    hours, minutes, seconds, rest = match.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + (float(f"0.{rest}") if rest else 0.0)


def _blocks(place: Place, name: str) -> Iterator[tuple[int, str, str, list[str]]]:
    """(line, start, end, text lines) of each line with an arrow."""
    held: tuple[int, str, str, list[str]] | None = None
    skipping = False
    with place.lines(name) as found:
        for number, raw in enumerate(found, start=1):
            line = raw.rstrip("\r\n")
            match = ARROW.match(line)
            if match:
                if held:
                    # the number of the next cue, where no blank line is between them
                    if held[3] and MARK.match(held[3][-1]):
                        held[3].pop()
                    yield held
                held, skipping = (number, match.group(1), match.group(2), []), False
            elif not line:
                # a line of spaces is part of a cue: YouTube writes such
                if held:
                    yield held
                held, skipping = None, False
            elif held:
                held[3].append(line)
            elif line.startswith(INSIDE):
                skipping = True
            elif "-->" in line and not skipping:
                first, _, last = line.partition("-->")
                yield number, first.strip()[:40], last.strip()[:40], []
    if held:
        yield held


def ttml(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """A row per timed <p> of a TTML document (.ttml, .dfxp)."""
    try:
        whole = place.whole(name)
        if "<!DOCTYPE" in whole or "<!ENTITY" in whole:
            raise UnusableError("it declares entities, which subtitles have no use for")
        top = ElementTree.fromstring(whole.lstrip("\ufeff").encode())
    except (ElementTree.ParseError, UnusableError, ConfigError, ValueError, RecursionError) as error:
        yield Unusable("it is no TTML document", f"{name}: {error}")
        return
    rates = {key.rpartition("}")[2]: value for key, value in top.attrib.items()}
    language = rates.get("lang") or _language(name)
    known: dict[str, Any] = {"path": options.recording, "reference": reference_of(_stem(name))}
    stack = [(top, 0.0)]
    while stack:
        element, begins = stack.pop()
        here = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        text = " ".join("".join(_texts(element)).split())
        if element.tag.rpartition("}")[2] == "p":
            try:
                if not text:
                    continue
                if "begin" not in here:
                    raise UnusableError("a cue has no begin")
                start = begins + ttml_time(here["begin"], rates)
                if "end" in here:
                    start_s, duration_s = span(start, end=begins + ttml_time(here["end"], rates))
                else:
                    start_s, duration_s = span(start, duration=ttml_time(here["dur"], rates) if "dur" in here else None)
            except UnusableError as error:
                yield Unusable(str(error), f"{name}: {shown(text)}")
                continue
            speaker = here.get("agent")
            yield label(
                **known,
                transcript=text,
                language=here.get("lang") or language,
                speaker=speaker,
                start_s=start_s,
                duration_s=duration_s,
            )
            continue
        try:
            inner = begins + ttml_time(here["begin"], rates) if "begin" in here else begins
        except UnusableError:
            inner = begins
        stack += [(child, inner) for child in reversed(element)]


def ttml_time(found: str, rates: dict[str, str]) -> float:
    """Seconds of a TTML time: clock, clock with frames, or a number with its unit. Raises `UnusableError`."""
    frames, ticks = _rate(rates.get("frameRate"), 30.0), _rate(rates.get("tickRate"), 1.0)
    match = OFFSET.match(found.strip())
    if match:
        value, unit = float(match.group(1)), match.group(2)
        return value / (frames if unit == "f" else ticks) if unit in "ft" else value * SECONDS[unit]
    head, _, last = found.strip().rpartition(":")
    if head.count(":") == 2:
        if not last.isascii() or not last.isdecimal() or len(last) > 9:
            raise UnusableError("a time is not hours:minutes:seconds")
        return clock(head) + int(last) / frames
    return clock(found.strip())


def _rate(found: str | None, usual: float) -> float:
    try:
        rate = float(found) if found else usual
    except ValueError:
        return usual
    return rate if 0 < rate < 1e9 else usual


def _texts(element: ElementTree.Element) -> Iterator[str]:
    stack: list[ElementTree.Element | str] = [element]
    while stack:
        found = stack.pop()
        if isinstance(found, str):
            yield found
            continue
        if found.tag.rpartition("}")[2] == "br":
            yield " "
        elif found.tag.rpartition("}")[2] == "metadata":
            continue
        inner: list[ElementTree.Element | str] = [found.text or ""]
        for child in found:
            inner += [child, child.tail or ""]
        stack += reversed(inner)


LANGUAGE = re.compile(r"^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$")


def _language(name: str) -> str | None:
    """`en` of `talk.en.vtt`, as downloaders write it."""
    found = stem(name).rpartition(".")
    return found[2] if found[0] and LANGUAGE.match(found[2]) else None


def _stem(name: str) -> str:
    base = stem(name)
    language = _language(name)
    return base.removesuffix(f".{language}") if language else base


def _is_ttml(found: Found) -> bool:
    return found.ending in (".ttml", ".dfxp") or (found.ending == ".xml" and "http://www.w3.org/ns/ttml" in found.head)


FORMATS = (
    LabelFormat("srt", "SRT subtitles", lambda found: found.ending == ".srt", cues, ".srt"),
    LabelFormat("vtt", "WebVTT; rolling captions' repeats are removed", lambda f: f.ending == ".vtt", cues, ".vtt"),
    LabelFormat("ttml", "TTML subtitles (.ttml, .dfxp)", _is_ttml, ttml, ".ttml"),
)
