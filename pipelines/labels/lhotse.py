"""lhotse's manifests: cuts, supervisions with their recordings, Shar; JSON lines, packed or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from .formats import Found, LabelFormat, Options
from .place import HERE, Index, Place
from .rows import Row, Unusable, UnusableError, label, reference_of, span, words_of
from .tables import json_lines

WHOLE_S = 1e-3
"""A supervision that starts with its recording and ends this close to its end is of the whole recording."""


def rows(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """Rows of cuts, of supervisions (the recordings' manifest beside them names the files), or of recordings."""
    with Index() as files:
        base = PurePosixPath(name)
        recordings = str(base.with_name(base.name.replace("supervisions", "recordings")))
        if recordings != name and place.has(recordings):
            files.fill(_recordings(place, recordings))
        for record in json_lines(place, name, options):
            if isinstance(record, Unusable):
                yield record
                continue
            where, cells = record
            try:
                yield from _rows(place, files, cells, options)
            except UnusableError as error:
                yield Unusable(str(error), where())
            except (KeyError, TypeError, AttributeError, ValueError, IndexError):
                yield Unusable("it is no cut, supervision or recording as lhotse writes them", where())


def _rows(place: Place, files: Index, cells: Mapping[str, Any], options: Options) -> Iterator[Row]:
    if "tracks" in cells:
        raise UnusableError("a MixedCut is several recordings at once: save the mix, or list its parts")
    if "supervisions" in cells or str(cells.get("type", "")).endswith("Cut"):
        recording = cells.get("recording") or {}
        path, reference = _file(place, recording, str(cells["id"]))
        # a Shar member holds the cut alone, so its times begin with the cut
        shar = any(source.get("type") == "shar" for source in recording.get("sources", ()))
        begins = 0.0 if shar else float(cells.get("start") or 0.0)
        length = cells.get("duration") if shar else recording.get("duration")
        spoken = cells.get("supervisions") or ()
        for supervision in spoken:
            yield _supervision(supervision, recording, (path, reference), begins, length, options)
        if not spoken:
            start_s, duration_s = span(begins, duration=cells.get("duration"))
            whole = _is_whole(start_s, duration_s, length)
            yield label(
                path,
                reference=reference,
                start_s=None if whole else start_s,
                duration_s=None if whole else duration_s,
                channel=_channel(cells.get("channel"), recording),
            )
    elif "recording_id" in cells:
        named = str(cells["recording_id"])
        found = files.get(named)
        if found == COMMAND:
            raise UnusableError(COMMAND)
        path = place.relative(found, HERE) if found else None
        reference = reference_of(found or named)
        yield _supervision(cells, {}, (path, reference), 0.0, None, options)
    else:
        path, reference = _file(place, cells, str(cells["id"]))
        yield label(path, reference=reference)


COMMAND = "its recording is a command, which is never run: write the file out and name it"


def _file(place: Place, recording: Mapping[str, Any], named: str) -> tuple[str | None, str | None]:
    """(path, reference) of a recording's manifest."""
    sources = recording.get("sources") or ()
    if len(sources) > 1:
        raise UnusableError("its recording is several files at once")
    for source in sources:
        if source.get("type") == "command":
            raise UnusableError(COMMAND)
        if source.get("type") in ("file", "url") and (file := str(source.get("source") or "")):
            # files are named from where the recipe ran, or from anywhere
            return place.relative(file, HERE), reference_of(file)
    return None, reference_of(named)


def _supervision(
    found: Mapping[str, Any],
    recording: Mapping[str, Any],
    file: tuple[str | None, str | None],
    begins: float,
    length: Any,
    options: Options,
) -> Row:
    start_s, duration_s = span(float(found.get("start") or 0.0) + begins, duration=found.get("duration"))
    whole = _is_whole(start_s, duration_s, length)
    custom = found.get("custom") or {}
    words = (found.get("alignment") or {}).get("word") or ()
    return label(
        file[0],
        reference=file[1],
        transcript=found.get("text"),
        language=found.get("language"),
        speaker=found.get("speaker"),
        start_s=None if whole else start_s,
        duration_s=None if whole else duration_s,
        channel=_channel(found.get("channel"), recording),
        carried={key: found.get(key, custom.get(key)) for key in options.carry},
        words=words_of((w[0], float(w[1]) + begins, float(w[1]) + float(w[2]) + begins) for w in words),
    )


def _channel(value: Any, recording: Mapping[str, Any]) -> int | None:
    """A single channel; None for all of a recording's, and for channel 0 of a recording of one channel."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if value is None or (value == 0 and len(recording.get("channel_ids") or (0,)) == 1 and recording):
        return None
    return int(value)


def _is_whole(start_s: float | None, duration_s: float | None, length: Any) -> bool:
    if start_s or length is None:
        return False
    return duration_s is None or abs(duration_s - float(length)) < WHOLE_S


def _recordings(place: Place, name: str) -> Iterator[tuple[str, str]]:
    for record in json_lines(place, name, Options()):
        if isinstance(record, Unusable) or "id" not in record[1]:
            continue
        cells = record[1]
        try:
            path, _ = _file(place, cells, str(cells["id"]))
            files = [str(s["source"]) for s in cells.get("sources") or () if s.get("type") in ("file", "url")]
        except UnusableError as error:
            yield str(cells["id"]), str(error)
        except (KeyError, TypeError, AttributeError):
            continue
        else:
            yield str(cells["id"]), path or (files[0] if files else str(cells["id"]))


def _fits(found: Found) -> bool:
    if found.ending not in (".jsonl", ".json"):
        return False
    keys = found.keys()
    return (
        {"id", "supervisions"} <= keys
        or {"id", "recording_id"} <= keys
        or {"id", "sources"} <= keys
        or ("id" in keys and str(found.first.get("type", "")).endswith("Cut"))
    )


FORMATS = (
    LabelFormat(
        "lhotse",
        "JSON lines (.gz) of cuts, of supervisions beside recordings, or of Shar (cuts.*.jsonl.gz)",
        _fits,
        rows,
    ),
)
