"""The labels of a recording as words that are said, a few at a time, with the tokens that the label writes them by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...curators.words.spoken_words import MARKUP, spoken_words
from .matching import sayable

CHUNK_WORDS = 12
"""Words that are found, or not found, together: enough to be told from other words, few enough to leave out."""
SENTENCE = re.compile(r"[.!?;:。！？]['\"”’)]*$")


@dataclass(slots=True)
class Text:
    """What one label says, with its own times (None: it has none)."""

    text: str
    start_s: float | None = None
    end_s: float | None = None
    channel: int | None = None
    speaker: str | None = None
    tokens: list[str] = field(default_factory=list)
    times: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    """`[tokens, 2]` seconds, NaN where a token was not found."""
    how: str = "unmatched"
    expected_s: float | None = None
    """Where it should begin by its own time and the recording's offset and drift."""

    @property
    def placed(self) -> tuple[float, float] | None:
        """From the first to the last word that was found."""
        if not len(self.times) or np.isnan(self.times).all():
            return None
        return float(np.nanmin(self.times)), float(np.nanmax(self.times))


@dataclass(slots=True)
class Piece:
    """Some tokens of a text, and the words that they are said by: `owner[k]` is the token of `words[k]`."""

    text: Text
    first: int
    stop: int
    words: tuple[str, ...]
    owner: tuple[int, ...]
    found: bool = False

    @property
    def share(self) -> float:
        """How much of the text's words come before."""
        return self.first / max(len(self.text.tokens), 1)

    def take(self, times: np.ndarray) -> None:
        """Give the tokens the times `[words, 2]` that were found, seconds of the recording."""
        self.found = True
        here = self.text.times[self.first : self.stop]
        for token in range(self.stop - self.first):
            of = times[[k for k, owner in enumerate(self.owner) if owner == token]]
            if len(of) and not np.isnan(of).all():
                here[token] = np.nanmin(of[:, 0]), np.nanmax(of[:, 1])
        # what nobody can pronounce is said between its neighbours
        known = np.flatnonzero(~np.isnan(here[:, 0]))
        for token in np.flatnonzero(np.isnan(here[:, 0])):
            before, after = known[known < token], known[known > token]
            start = here[before[-1], 1] if len(before) else here[after[0], 0]
            here[token] = start, (here[after[0], 0] if len(after) else start)


def texts_of(labels: Iterable[Mapping[str, Any]]) -> list[Text]:
    """Labels with a text, in the order of their times; words with times of a label of the whole recording are cues."""
    found: list[Text] = []
    for label in labels:
        said = label["transcript"]
        if not said:
            continue
        start, length, channel, speaker = (label[k] for k in ("start_s", "duration_s", "channel", "speaker"))
        if start is None and label["words"]:
            found += _cues_of_words(label["words"], channel, speaker)
        else:
            end = None if start is None or length is None else start + length
            found.append(Text(said, start, end, channel, speaker))
    found.sort(key=lambda text: (text.start_s or 0.0, text.end_s or 0.0, text.text))
    for text in found:
        text.tokens = MARKUP.sub(" ", text.text).split()
        text.times = np.full((len(text.tokens), 2), np.nan)
    return [text for text in found if text.tokens]


def _cues_of_words(words: Iterable[Mapping[str, Any]], channel: int | None, speaker: str | None) -> Iterable[Text]:
    held: list[Mapping[str, Any]] = []
    for word in sorted(words, key=lambda w: w["start_s"]):
        if held and (len(held) == CHUNK_WORDS or word["start_s"] - held[-1]["end_s"] > 0.5):
            yield _joined(held, channel, speaker)
            held = []
        held.append(word)
    if held:
        yield _joined(held, channel, speaker)


def _joined(words: list[Mapping[str, Any]], channel: int | None, speaker: str | None) -> Text:
    return Text(" ".join(w["word"] for w in words), words[0]["start_s"], words[-1]["end_s"], channel, speaker)


def pieces_of(text: Text) -> list[Piece]:
    """A text in pieces of about `CHUNK_WORDS` words, at the ends of sentences where they are near."""
    said = [tuple(spoken_words(token)) for token in text.tokens]
    total = sum(map(len, said))
    parts = max(1, round(total / CHUNK_WORDS))
    most = -(-total // parts)
    found: list[Piece] = []
    first, words, owner = 0, [], []
    for k, of in enumerate(said):
        words += of
        owner += [k - first] * len(of)
        near = len(words) >= most - 4 and SENTENCE.search(text.tokens[k])
        if len(words) >= most + 4 * bool(parts > 1 and _sentence_near(text.tokens[k + 1 : k + 4])) or near:
            found.append(Piece(text, first, k + 1, tuple(words), tuple(owner)))
            first, words, owner = k + 1, [], []
    if first < len(said):
        if found and sum(map(sayable, words)) < 3:
            last = found.pop()
            shift = first - last.first
            words, owner = [*last.words, *words], [*last.owner, *(o + shift for o in owner)]
            first = last.first
        found.append(Piece(text, first, len(said), tuple(words), tuple(owner)))
    return [piece for piece in found if any(map(sayable, piece.words))]


def _sentence_near(tokens: list[str]) -> bool:
    return any(SENTENCE.search(token) for token in tokens)


def split(piece: Piece, words: int) -> list[Piece]:
    """A piece in smaller ones of about so many words."""
    count = max(1, round(len(piece.words) / words))
    tokens = np.array_split(np.arange(piece.stop - piece.first), count)
    found = []
    for few in (part for part in tokens if len(part)):
        here = [k for k, owner in enumerate(piece.owner) if few[0] <= owner <= few[-1]]
        said, owner = tuple(piece.words[k] for k in here), tuple(piece.owner[k] - int(few[0]) for k in here)
        if any(map(sayable, said)):
            first = piece.first + int(few[0])
            found.append(Piece(piece.text, first, piece.first + int(few[-1]) + 1, said, owner))
    return found
