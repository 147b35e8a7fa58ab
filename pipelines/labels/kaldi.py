"""Kaldi's data folders: wav.scp, text, segments, utt2spk and their like. Commands in them are never run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import PurePosixPath

from .formats import Found, LabelFormat, Options
from .place import HERE, Index, Place, folder_of
from .rows import Row, Unusable, UnusableError, channel_number, label, reference_of, shown, span

FILES = ("wav.scp", "text", "segments", "utt2spk")


def rows(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """Rows of the folder that `name` is, or lies in: one per segment, else one per recording.

    text, utt2spk, utt2lang, spk2gender and reco2file_and_channel are used where they are there.
    """
    folder = folder_of(name) if PurePosixPath(name).name in FILES else PurePosixPath(name)

    def file(base: str) -> str:
        return str(folder / base)

    with ExitStack() as stack:

        def index(base: str) -> Index:
            found = stack.enter_context(Index())
            return found.fill(_pairs(place, file(base))) if place.has(file(base)) else found

        scp, texts, speakers = index("wav.scp"), index("text"), index("utt2spk")
        languages, genders, sides = index("utt2lang"), index("spk2gender"), index("reco2file_and_channel")
        segmented = place.has(file("segments"))
        main = "segments" if segmented else "wav.scp"
        with place.lines(file(main)) as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    utterance, recording, start, end = _segment(line) if segmented else (*line.split()[:1] * 2, "", "")
                    side = sides.get(recording)
                    speaker = speakers.get(utterance)
                    start_s, duration_s = span(start, end=None if end == "-1" else end)
                    found = _recording(place, folder, recording, scp.get(recording))
                except UnusableError as error:
                    yield Unusable(str(error), f"line {number} of {file(main)}: {shown(line)}")
                    continue
                known = {"gender": genders.get(speaker or ""), "utterance": utterance}
                yield label(
                    found[0],
                    reference=found[1],
                    transcript=texts.get(utterance),
                    speaker=speaker,
                    language=languages.get(utterance),
                    start_s=start_s if segmented else None,
                    duration_s=duration_s if segmented else None,
                    channel=channel_number(side.split()[-1]) if side and side.split()[-1] in "AB" else None,
                    carried={key: known.get(key) for key in options.carry},
                )


def _pairs(place: Place, name: str) -> Iterator[tuple[str, str]]:
    with place.lines(name) as lines:
        for line in lines:
            key, _, value = line.strip().partition(" ")
            if "\t" in key:
                key, _, rest = line.strip().partition("\t")
                value = rest
            yield key, value.strip()


def _segment(line: str) -> tuple[str, str, str, str]:
    parts = line.split()
    if len(parts) < 4:
        raise UnusableError("a segment is utterance, recording, start, end")
    return parts[0], parts[1], parts[2], parts[3]


def _recording(place: Place, folder: PurePosixPath, recording: str, where: str | None) -> tuple[str | None, str | None]:
    """(path, reference) of what wav.scp says of a recording."""
    if where is None:
        return None, reference_of(recording)
    if where.endswith("|") or where.startswith("|"):
        raise UnusableError("its recording is a command in wav.scp, which is never run: write the file out and name it")
    # files of a data folder are named from where the recipe runs, or from anywhere
    return place.relative(where, HERE), reference_of(where)


def _fits(found: Found) -> bool:
    folder = folder_of(found.name) if found.base in FILES else PurePosixPath(found.name)
    return (found.base in FILES or not found.place.has(found.name)) and found.place.has(str(folder / "wav.scp"))


FORMATS = (
    LabelFormat(
        "kaldi", "a folder with wav.scp, text, utt2spk and perhaps segments; commands are never run", _fits, rows
    ),
)
