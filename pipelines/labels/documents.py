"""JSON documents of one recording: Whisper, WhisperX, whisper.cpp, moshi-finetune's alignments and lists, Emilia."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ...schemas.errors import ConfigError
from .beside import stem
from .formats import Found, LabelFormat, Options
from .place import Place, folder_of
from .rows import Row, Unusable, UnusableError, label, reference_of, shown, span, words_of
from .tables import json_lines

MAIN = "SPEAKER_MAIN"
"""moshi-finetune: who speaks on the left channel; everybody else is on the right one."""


def document(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """Rows of one JSON document, whichever of the kinds it is."""
    try:
        whole = place.whole(name)
    except ConfigError as error:
        yield Unusable("it cannot be read", f"{name}: {error}")
        return
    try:
        found = json.loads(whole.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        yield Unusable("it is not JSON", f"{name}: {shown(whole[:100])}")
        return
    known: dict[str, Any] = {"path": options.recording, "reference": reference_of(stem(name))}
    if isinstance(found, dict) and isinstance(found.get("alignments"), list):
        yield from _moshi(found["alignments"], known, name)
    elif isinstance(found, dict) and isinstance(found.get("segments"), list):
        yield from _segments(found["segments"], known, name, found.get("language"), options)
    elif isinstance(found, dict) and isinstance(found.get("transcription"), list):
        yield from _whisper_cpp(found, known, name)
    elif isinstance(found, dict) and ("text" in found or "transcript" in found):
        # one clip: Emilia, and what WebDataset tars keep beside each member
        said = found.get("text", found.get("transcript"))
        facts = {key: found.get(key) for key in options.carry}
        if isinstance(said, str | None):
            yield label(
                **known,
                transcript=said,
                speaker=found.get("speaker"),
                language=found.get("language", found.get("lang")),
                carried=facts,
            )
        else:
            yield Unusable("its text is no text", name)
    elif isinstance(found, list):
        yield from _emilia(place, found, known, name, options)
    else:
        yield Unusable("it has none of alignments, segments, transcription, text", name)


def _segments(
    found: list[Any], known: Mapping[str, Any], name: str, language: Any, options: Options
) -> Iterator[Row | Unusable]:
    """Whisper's and WhisperX's segments."""
    for at, segment in enumerate(found):
        try:
            if not isinstance(segment, dict):
                raise UnusableError("a segment is no object")
            yield _segment(segment, known, language, options)
        except UnusableError as error:
            yield Unusable(str(error), f"segment {at} of {name}: {shown(str(segment)[:200])}")


def _segment(segment: dict[str, Any], known: Mapping[str, Any], language: Any, options: Options) -> Row:
    start_s, duration_s = span(segment.get("start"), end=segment.get("end"))
    words = segment.get("words")
    said = segment.get("text", segment.get("transcript"))
    if isinstance(said, list | dict):
        raise UnusableError("its text is no text")
    return label(
        **known,
        transcript=said,
        language=segment.get("language", language),
        speaker=segment.get("speaker"),
        start_s=start_s,
        duration_s=duration_s,
        words=words_of((w.get("word"), w.get("start"), w.get("end")) for w in words if isinstance(w, dict))
        if isinstance(words, list)
        else None,
        carried={key: segment.get(key) for key in options.carry},
    )


def _whisper_cpp(found: dict[str, Any], known: Mapping[str, Any], name: str) -> Iterator[Row | Unusable]:
    result = found.get("result")
    language = result.get("language") if isinstance(result, dict) else None
    for at, segment in enumerate(found["transcription"]):
        try:
            milliseconds = segment["offsets"]
            start_s, duration_s = span(milliseconds["from"] / 1000, end=milliseconds["to"] / 1000)
            yield label(**known, transcript=segment["text"], language=language, start_s=start_s, duration_s=duration_s)
        except (KeyError, TypeError, OverflowError):
            yield Unusable("a segment has no offsets and text", f"segment {at} of {name}")
        except UnusableError as error:
            yield Unusable(str(error), f"segment {at} of {name}")


def _moshi(found: list[Any], known: Mapping[str, Any], name: str) -> Iterator[Row | Unusable]:
    """[word, [start, end], speaker]: the words of channel 0 (SPEAKER_MAIN) and of channel 1 (everybody else)."""
    sides: defaultdict[int, list[tuple[Any, Any, Any]]] = defaultdict(list)
    speakers: dict[int, str] = {}
    for at, entry in enumerate(found):
        try:
            word, (start, end), speaker = entry
            span(start, end=end)
        except (ValueError, TypeError) as error:
            why = str(error) if isinstance(error, UnusableError) else "an alignment is word, [start, end], speaker"
            yield Unusable(why, f"alignment {at} of {name}: {shown(str(entry)[:200])}")
            continue
        side = 0 if speaker == MAIN else 1
        sides[side].append((word, start, end))
        speakers.setdefault(side, str(speaker))
    for side, words in sorted(sides.items()):
        said = words_of(words)
        text = " ".join(word["word"] for word in said)
        yield label(**known, transcript=text, speaker=speakers[side], channel=side, words=said)


def _emilia(
    place: Place, found: list[Any], known: Mapping[str, Any], name: str, options: Options
) -> Iterator[Row | Unusable]:
    """Emilia-Pipe's list of segments: of the recording, or of the files <name>_000000.* that it was cut into."""
    here = str(folder_of(name))
    cut = any(n.startswith(f"{stem(name)}_000000.") for n in place.names(here)) and options.recording is None
    for at, segment in enumerate(found):
        if not isinstance(segment, dict):
            yield Unusable("a segment is no object", f"segment {at} of {name}")
            continue
        try:
            row = _segment(segment, known, None, options)
        except UnusableError as error:
            yield Unusable(str(error), f"segment {at} of {name}: {shown(str(segment)[:200])}")
            continue
        if cut:
            row |= {"path": None, "reference": f"{stem(name)}_{at:06d}", "start_s": None, "duration_s": None}
        yield row


def moshi_list(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """Lines {"path": ..., "duration": ...}; the words of each recording are in the .json beside it."""
    for record in json_lines(place, name, options):
        if isinstance(record, Unusable):
            yield record
            continue
        where, cells = record
        path = place.relative(str(cells.get("path") or ""), folder_of(name))
        if path is None:
            yield Unusable("it names no recording inside the source", where())
            continue
        words = str(PurePosixPath(path).with_suffix(".json"))
        if place.has(words):
            yield from document(place, words, Options(recording=path, carry=options.carry))
        else:
            yield label(path, carried={key: cells.get(key) for key in options.carry})


def _is_moshi_list(found: Found) -> bool:
    keys = found.keys()
    if not {"path", "duration"} <= keys or keys & {"text", "transcript", "sentence", "transcription"}:
        return False
    return isinstance(found.first["path"], str)


def _is_document(found: Found) -> bool:
    if found.ending != ".json":
        return False
    start = found.head.lstrip("\ufeff \t\r\n")
    if start.startswith("["):
        return True
    first = found.first
    if isinstance(first, dict):
        # one line that is a whole document, not the first of many
        listed = any(isinstance(first.get(key), list) for key in ("alignments", "segments", "transcription"))
        alone = len(found.head.splitlines()) == 1 and "text" in first
        return listed or (alone and not {"audio_filepath", "file_name", "path", "file", "recording_id"} & set(first))
    return start.startswith("{")


FORMATS = (
    LabelFormat(
        "moshi",
        "moshi-finetune's JSON lines with path and duration; word alignments in the .json beside each recording",
        _is_moshi_list,
        moshi_list,
    ),
    LabelFormat(
        "json",
        "a JSON document per recording: Whisper, WhisperX, whisper.cpp, moshi alignments, Emilia, or {text: ...}",
        _is_document,
        document,
        ".json",
    ),
)
