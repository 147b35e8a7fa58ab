"""Texts that lie beside the audio: <name>.txt, LibriSpeech's *.trans.txt, LibriTTS, VCTK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from .formats import LabelFormat, Options
from .place import Place
from .rows import Row, Unusable, label, reference_of, shown

LONGEST_TEXT = 1 << 27


def plain(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """The whole file is the text of the recording that it lies beside."""
    yield label(options.recording, reference=reference_of(stem(name)), transcript=_one_line(place.whole(name)))


def librispeech(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """Lines `<speaker>-<chapter>-<utterance> TEXT`."""
    with place.lines(name) as lines:
        for number, line in enumerate(lines, start=1):
            utterance, _, said = line.strip().partition(" ")
            if not utterance:
                continue
            if not said:
                yield Unusable("it has no text", f"line {number} of {name}: {shown(line)}")
                continue
            yield label(reference=reference_of(utterance), transcript=said, speaker=utterance.split("-")[0])


def libritts(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """`<speaker>_<chapter>_<paragraph>_<sentence>.normalized.txt` beside the audio."""
    for row in plain(place, name, options):
        yield row if isinstance(row, Unusable) else row | {"speaker": stem(name).split("_")[0] or None}


def vctk(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """`txt/p225/p225_001.txt` of `wav48*/p225/p225_001.wav` or `.._mic1.flac`; `name` is the folder above them."""
    top = PurePosixPath(name) if name not in ("", ".") else PurePosixPath()
    for path in place.audio():
        audio = PurePosixPath(path)
        if len(audio.parts) < 3 or not audio.is_relative_to(top):
            continue
        speaker = audio.parent.name
        utterance = audio.stem.removesuffix("_mic1").removesuffix("_mic2")
        texts = audio.parent.parent.parent / "txt" / speaker
        if f"{utterance}.txt" in _names(place, str(texts)):
            said = _one_line(place.whole(str(texts / f"{utterance}.txt")))
            yield label(path, transcript=said, speaker=speaker)


def stem(name: str) -> str:
    """`a/talk.normalized.txt` to `talk`: the recording that a file lies beside."""
    base = PurePosixPath(name).name
    for ending in (".normalized.txt", ".original.txt"):
        base = base.removesuffix(ending)
    return base.rpartition(".")[0] or base


def _one_line(said: str) -> str:
    return " ".join(said.split()) if "\n" in said or "\r" in said else said.strip()


def _names(place: Place, folder: str) -> list[str]:
    return place.names(folder)


FORMATS = (
    LabelFormat(
        "librispeech",
        "*.trans.txt with lines `84-121550-0000 TEXT`",
        lambda found: found.base.endswith(".trans.txt"),
        librispeech,
    ),
    LabelFormat(
        "libritts",
        "<name>.normalized.txt beside each recording, speaker first in the name",
        lambda found: found.base.endswith(".normalized.txt"),
        libritts,
        ".normalized.txt",
    ),
    LabelFormat("vctk", "txt/<speaker>/<name>.txt for wav48*/<speaker>/<name>*", lambda found: False, vctk),
    LabelFormat(
        "txt",
        "<name>.txt beside each recording",
        lambda found: found.ending == ".txt" and found.head.count("|") == 0,
        plain,
        ".txt",
    ),
)
