"""Praat's TextGrid, long and short: utterance tiers as spans, word tiers as words with times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...schemas.errors import ConfigError
from .beside import stem
from .formats import LabelFormat, Options
from .place import Place
from .rows import Row, Unusable, UnusableError, label, reference_of, shown, span, words_of

TOKEN = re.compile(
    r'"((?:[^"]|"")*)"|(?:(?<=\s)|^)([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|--undefined--)(?=\s|$)'
)
"""Praat reads quoted texts and numbers that stand free; all else in a file is for people."""
WORDS = re.compile(r"(^|[\s_-])(words?|ort|mau_?words?|tokens?)$", re.IGNORECASE)
SOUNDS = re.compile(r"(^|[\s_-])(phones?|phonemes?|phns?|mau|segments?|syllables?|kan|pitch|notes?)$", re.IGNORECASE)
"""Tiers that hold no text."""
SILENT = frozenset({"", "sil", "sp", "spn", "<eps>", "<sil>", "#", "<p:>", "<unk>"})


@dataclass
class Tier:
    """One tier: (start, end, text), as found."""

    name: str
    intervals: list[tuple[str, str, str]] = field(default_factory=list)


def rows(place: Place, name: str, options: Options) -> Iterator[Row | Unusable]:
    """A row per interval with text of each utterance tier; where there is none, one with the words of the word tier.

    With several tiers, a tier's name is the speaker (`anna - words` speaks as `anna`).
    """
    try:
        tiers, broken = parse(place.whole(name))
    except (UnusableError, ConfigError) as error:
        yield Unusable("it is no TextGrid", f"{name}: {error}")
        return
    if broken:
        yield Unusable("the TextGrid ends too early", name)
    known: dict[str, Any] = {"path": options.recording, "reference": reference_of(stem(name))}
    spoken = [tier for tier in tiers if not SOUNDS.search(tier.name)]
    words = [tier for tier in spoken if WORDS.search(tier.name)]
    utterances = [tier for tier in spoken if tier not in words]
    for tier in utterances:
        speaker = tier.name if len(utterances) > 1 else None
        for start, end, said in tier.intervals:
            if said.strip().lower() in SILENT:
                continue
            try:
                start_s, duration_s = span(start, end=end)
            except UnusableError as error:
                yield Unusable(str(error), f"{name}, tier {tier.name}: {shown(said)}")
                continue
            yield label(**known, transcript=said, speaker=speaker, start_s=start_s, duration_s=duration_s)
    if utterances:
        return
    for tier in words:
        speaker = re.split(r"\s+-\s+", tier.name)[0] if " - " in tier.name else None
        said = words_of((w, start, end) for start, end, w in tier.intervals if w.strip().lower() not in SILENT)
        yield label(**known, transcript=" ".join(word["word"] for word in said), speaker=speaker, words=said)


def parse(whole: str) -> tuple[list[Tier], bool]:
    """(tiers with intervals, whether the file ends too early). Raises `UnusableError` for what is no TextGrid."""
    if "TextGrid" not in whole[:200]:
        raise UnusableError("its first lines do not say TextGrid")
    tokens = (match.group(1) if match.group(2) is None else match.group(2) for match in TOKEN.finditer(whole))

    def take() -> str:
        return next(tokens).replace('""', '"')

    tiers: list[Tier] = []
    try:
        # file type, class, start and end of all tiers, how many tiers
        for _ in range(4):
            take()
        for _ in range(int(float(take()))):
            kind, tier = take(), Tier(take())
            # start and end of the tier
            take()
            take()
            count = int(float(take()))
            if kind == "IntervalTier":
                tiers.append(tier)
            for _ in range(count):
                if kind == "IntervalTier":
                    tier.intervals.append((take(), take(), take()))
                else:
                    take()
                    take()
    except StopIteration:
        return tiers, True
    except (ValueError, OverflowError) as error:
        raise UnusableError("a count is no number") from error
    return tiers, False


FORMATS = (
    LabelFormat(
        "textgrid",
        "Praat's TextGrid: utterance tiers become spans, a word tier words with times; phone tiers are left out",
        lambda found: found.ending == ".textgrid",
        rows,
        ".TextGrid",
    ),
)
