"""The canonical label row, and what may stand in it: nothing of a label file is believed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from ...schemas.language import language_code
from ...schemas.tables import WORD

LABELS = pa.schema(
    [
        pa.field("source", pa.string()),
        pa.field("path", pa.string()),  # of the recording, relative to the source; or null, and
        pa.field("reference", pa.string()),  # its name without folder and ending
        pa.field("start_s", pa.float64()),  # null: the label is of the whole recording
        pa.field("duration_s", pa.float64()),  # null: to the end
        pa.field("channel", pa.int16()),  # null: the label is of every channel
        pa.field("transcript", pa.string()),
        pa.field("language", pa.string()),
        pa.field("speaker", pa.string()),
        pa.field("carried", pa.map_(pa.string(), pa.string())),
        pa.field("words", pa.list_(WORD)),
        pa.field("label_file", pa.string()),
    ]
)
Row = dict[str, Any]
LONGEST_S = 1e7
"""Of a time in a label, seconds: 115 days. Beyond it, it is no time of a recording."""
MOST_CHANNELS = 1 << 10
SHOWN = 60
"""Characters of a bad line that a notice quotes."""
AUDIO_ENDINGS = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".aiff", ".aif", ".sph", ".webm", ".mp4", ".wv"}
)
"""What is taken off a name to get a recording's reference."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A line that no label can be made of."""

    why: str
    """Without anything of the line itself: equal reasons are counted together."""
    line: str
    """Which one, and what it says."""


class UnusableError(ValueError):
    """Raised while a line is read; `str` is the `why` of `Unusable`."""


def label(
    path: str | None = None,
    *,
    reference: str | None = None,
    transcript: Any = None,
    language: Any = None,
    speaker: Any = None,
    start_s: float | None = None,
    duration_s: float | None = None,
    channel: int | None = None,
    carried: Mapping[str, Any] | None = None,
    words: list[dict[str, Any]] | None = None,
) -> Row:
    """A row of `LABELS` without its source and file. The recording is `path`, or the one that `reference` names."""
    return {
        "path": path,
        "reference": reference,
        "start_s": start_s,
        "duration_s": duration_s,
        "channel": channel,
        "transcript": text(transcript),
        "language": language_code(text(language)),
        "speaker": text(speaker),
        "carried": {k: v for k, value in carried.items() if (v := text(value)) is not None} if carried else None,
        "words": words or None,
    }


def text(value: Any) -> str | None:
    """A cell as text; None when it is empty, absent or NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    # NUL ends strings in C libraries downstream and carries no speech; lone surrogates have no bytes
    found = str(value).replace("\x00", "").strip()
    if not found.isascii():
        found = found.encode(errors="replace").decode()
    return found or None


def number(value: Any, what: str) -> float | None:
    """A time in seconds, None when it is absent. Raises `UnusableError` for what is no time of a recording."""
    if value is None or value == "":
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise UnusableError(f"{what} is not a number") from None
    if isinstance(value, bool) or not math.isfinite(found):
        raise UnusableError(f"{what} is not a finite number")
    if abs(found) > LONGEST_S:
        raise UnusableError(f"{what} is beyond {LONGEST_S:,.0f} s")
    return found


def span(start: Any, *, end: Any = None, duration: Any = None) -> tuple[float | None, float | None]:
    """(start_s, duration_s) of a label that says where it is by two of three; (None, None) when it does not.

    Raises `UnusableError` for times that are no span: not finite, before the beginning, backwards.
    """
    start_s, end_s, duration_s = number(start, "its start"), number(end, "its end"), number(duration, "its duration")
    if start_s is None and end_s is None and duration_s is None:
        return None, None
    start_s = start_s or 0.0
    if start_s < 0:
        raise UnusableError("its start is before the beginning")
    if duration_s is None and end_s is not None:
        duration_s = end_s - start_s
    if duration_s is not None and duration_s <= 0:
        raise UnusableError("it ends where it starts, or before")
    return start_s, duration_s


def channel_number(value: Any, *, first: int = 0) -> int | None:
    """Zero-based channel of a cell that counts from `first`, None when it is empty. Raises `UnusableError`."""
    if value is None or value == "":
        return None
    letters = {"a": 0, "b": 1}
    if isinstance(value, str) and value.strip().lower() in letters:
        return letters[value.strip().lower()]
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if isinstance(value, bool) or not found.is_integer() or not first <= found < MOST_CHANNELS:
        raise UnusableError(f"its channel is not counted from {first}")
    return int(found) - first


def words_of(found: Iterable[tuple[Any, Any, Any]]) -> list[dict[str, Any]]:
    """Words with times from (word, start, end); those with times that are none are left out."""
    words = []
    for word, start, end in found:
        try:
            start_s, duration_s = span(start, end=end)
        except UnusableError:
            continue
        if (said := text(word)) and start_s is not None and duration_s is not None:
            words.append({"word": said, "start_s": start_s, "end_s": start_s + duration_s})
    return words


def reference_of(name: Any) -> str | None:
    """Reference of a recording that a label calls `name`, with or without folders and ending."""
    found = text(name)
    base = PurePosixPath(found.replace("\\", "/")).name if found else ""
    stem, ending = os.path.splitext(base)
    return (stem if ending.lower() in AUDIO_ENDINGS else base) or None


def shown(line: str) -> str:
    """A line as a notice quotes it."""
    cut = line.strip()
    return repr(cut if len(cut) <= SHOWN else cut[:SHOWN] + "…")
