"""Labels laid on what is said, piece by piece: cues near where they claim to be, texts without times in their order.

What matches nothing stays without a place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ...curators.signal.cepstra import FRAME_S as HOP_S
from ...curators.signal.vad import FRAME_S, SPEECH_THRESHOLD
from ...curators.words.aligner import MAX_DURATION_S, align, listen
from ...curators.words.spoken_words import spoken_words
from .matching import EDGE_S, Chunk, match
from .texts import Piece, Text, pieces_of, split
from .timing import Timing, by_pairs

WINDOW_S = 60.0
MARGIN_S = 8.0
"""At the end of a window nothing counts as found: what comes next is not heard yet."""
OVERLAP_S = 16.0
REACH_S = 8.0
"""Of cues, how far from where they are expected they are looked for."""
FOLLOWED = 9
"""Cues whose mean error (the median) corrects where the next ones are expected."""
WORDS_AHEAD, MOST_WORDS_AHEAD = 240, 960
"""Of a text without times, words that are looked for in a window; more when nothing was found in the one before."""
LEAST_SPEECH_S = 0.5
SPREAD_S = 0.05

ROOM_S = 0.5
"""Heard before and after words that are aligned once more."""
CLOSER_WORDS = 3
SLOW_WORD_S = 0.6
"""Per word, the longest that a row of words takes."""
APART_S = 2.0
"""Words with a longer pause between them are aligned apart: something else may be said in it."""
TAIL_S = 0.3
"""Heard after what may be a last word, so that it can end; silence after the recording's end."""

Read = Callable[[float, float], np.ndarray]
"""(start_s, end_s) to `[T]` float32 at 16 kHz, zeros beyond the end."""


def place(texts: Sequence[Text], speech: np.ndarray, read: Read, timing: Timing) -> Timing | None:
    """Give the words of `texts` (of one channel) their times; returns the offset and drift of those that have times of
    their own, as found, or None.

    speech: `[F]` probability per 32 ms. timing: where to begin to look.
    """
    timed = [text for text in texts if text.start_s is not None]
    free = [text for text in texts if text.start_s is None]
    total_s = len(speech) * FRAME_S
    for group in (timed, free):
        pieces = [piece for text in group for piece in pieces_of(text)]
        if pieces:
            _Walk(pieces, speech, read, timing, total_s).go()
            _look_closer(pieces, speech, read, total_s)
    if timed:
        _look_again(timed, speech, read, timing, total_s)
    for text in texts:
        if text.placed:
            text.how = "aligned"
    _refine([text for text in texts if text.placed], read, total_s)
    own, found = _pairs(timed)
    return by_pairs(own, found)


def _pairs(texts: Sequence[Text]) -> tuple[np.ndarray, np.ndarray]:
    """Own time and found time of the beginnings of cues whose first word was found."""
    pairs = [(text.start_s, float(text.times[0, 0])) for text in texts if not np.isnan(text.times[0, 0])]
    return np.array([a for a, _ in pairs], float), np.array([b for _, b in pairs], float)


class _Walk:
    """Goes through a recording window by window, and through the pieces in their order."""

    def __init__(self, pieces: Sequence[Piece], speech: np.ndarray, read: Read, timing: Timing, total_s: float) -> None:
        self._pieces, self._speech, self._read, self._timing, self._total_s = pieces, speech, read, timing, total_s
        self._next = 0
        self._errors: list[float] = []
        self._ahead = WORDS_AHEAD

    def go(self) -> None:
        """Find what there is."""
        at = 0.0
        while at < self._total_s and self._next < len(self._pieces):
            end = min(at + WINDOW_S, self._total_s)
            at = self._window(at, end) if end < self._total_s else max(self._window(at, end), end)

    def _window(self, at: float, end: float) -> float:
        """Look at one window; returns where the next one begins."""
        until = end if end >= self._total_s else end - MARGIN_S
        on = max(end - OVERLAP_S, at + 1.0)
        # what should have come long before is not going to
        while self._next < len(self._pieces) and self._latest(self._pieces[self._next]) < at:
            self._next += 1
        wanted = self._wanted(at, end)
        heard_s = float((self._speech[int(at / FRAME_S) : int(end / FRAME_S)] >= SPEECH_THRESHOLD).sum()) * FRAME_S
        if not wanted or heard_s < LEAST_SPEECH_S:
            return on
        chunks = [Chunk(p.words, None if (e := self._expected(p)) is None else e - at) for p in wanted]
        audio = self._read(at, end if end < self._total_s else end + TAIL_S)
        found = match(audio, chunks, self._speech[round(at / FRAME_S) : math.ceil(end / FRAME_S)])
        done, waiting = at, None
        for k, (piece, what) in enumerate(zip(wanted, found, strict=True)):
            if what is None:
                continue
            start, stop = at + float(np.nanmin(what.times)), at + float(np.nanmax(what.times))
            if stop > until:
                waiting = start
                break
            expected = self._expected(piece)
            piece.take(what.times + at)
            if expected is not None:
                self._errors.append(start - expected + self._correction())
            done, self._next = stop, self._index(wanted[k]) + 1
        missed = done == at and self._expected(wanted[0]) is None
        self._ahead = min(2 * self._ahead, MOST_WORDS_AHEAD) if missed else WORDS_AHEAD
        return max(on if waiting is None else min(waiting - SPREAD_S, on), done, at + 1.0)

    def _wanted(self, at: float, end: float) -> list[Piece]:
        found: list[Piece] = []
        words = 0
        for piece in self._pieces[self._next :]:
            expected = self._expected(piece)
            if expected is None:
                words += len(piece.words)
                if found and words > self._ahead:
                    break
            elif expected > end + REACH_S:
                break
            found.append(piece)
        return found

    def _index(self, piece: Piece) -> int:
        return next(k for k in range(self._next, len(self._pieces)) if self._pieces[k] is piece)

    def _correction(self) -> float:
        return float(np.median(self._errors[-FOLLOWED:])) if self._errors else 0.0

    def _expected(self, piece: Piece) -> float | None:
        base = expected_s(piece, self._timing)
        return None if base is None else base + self._correction()

    def _latest(self, piece: Piece) -> float:
        expected = self._expected(piece)
        return np.inf if expected is None else expected + REACH_S


def expected_s(piece: Piece, timing: Timing) -> float | None:
    """Where a piece should be by its label's times and the recording's timing."""
    text = piece.text
    if text.start_s is None:
        return None
    length = 0.0 if text.end_s is None else text.end_s - text.start_s
    return timing(text.start_s + piece.share * length)


def _look_again(texts: Sequence[Text], speech: np.ndarray, read: Read, timing: Timing, total_s: float) -> None:
    """Cues of which nothing was found, each by itself, where nothing else is: one that comes in the wrong order has
    no place in the order."""
    better = by_pairs(*_pairs(texts)) or timing
    claimed = sorted(span for text in texts if (span := text.placed))
    for text in sorted((t for t in texts if not t.placed), key=lambda t: t.start_s or 0.0):
        pieces = pieces_of(text)
        if not pieces:
            continue
        expected = better(text.start_s or 0.0)
        length = sum(len(p.words) for p in pieces) * SLOW_WORD_S + 1
        low, high = max(0.0, expected - REACH_S), min(total_s, expected + REACH_S + length)
        for start, end in _between(low, high, claimed):
            part = speech[int(start / FRAME_S) : int(end / FRAME_S)]
            if float((part >= SPEECH_THRESHOLD).sum()) * FRAME_S < LEAST_SPEECH_S:
                continue
            begin = max(0.0, start - TAIL_S)
            part = speech[round(begin / FRAME_S) : math.ceil((end + TAIL_S) / FRAME_S)]
            found = match(read(begin, end + TAIL_S), [Chunk(p.words, None) for p in pieces], part)
            for piece, what in zip(pieces, found, strict=True):
                if what is not None:
                    piece.take(what.times + begin)
            if (span := text.placed) is not None:
                claimed = sorted([*claimed, span])
                break


def _look_closer(pieces: Sequence[Piece], speech: np.ndarray, read: Read, total_s: float) -> None:
    """Pieces that were not found beside ones of the same text that were, a few words at a time: what is said of a text
    need not end where a piece does. Only words that go on from, or up to, what was found are taken."""
    for k, piece in enumerate(pieces):
        before = k > 0 and pieces[k - 1].text is piece.text and pieces[k - 1].found
        after = k + 1 < len(pieces) and pieces[k + 1].text is piece.text and pieces[k + 1].found
        if piece.found or not (before or after):
            continue
        times = piece.text.times
        low = float(np.nanmax(times[: piece.first])) if before else 0.0
        high = float(np.nanmin(times[piece.stop :])) if after else total_s
        length = len(piece.words) * SLOW_WORD_S + 1
        low, high = (low, min(high, low + length)) if before else (max(low, high - length), high)
        part = speech[int(low / FRAME_S) : int(high / FRAME_S)]
        if float((part >= SPEECH_THRESHOLD).sum()) * FRAME_S < LEAST_SPEECH_S / 2:
            continue
        parts = split(piece, CLOSER_WORDS)
        begin, end = max(0.0, low - SPREAD_S), high + TAIL_S
        part = speech[round(begin / FRAME_S) : math.ceil(end / FRAME_S)]
        found = match(read(begin, end), [Chunk(p.words) for p in parts], part)
        said = [what is not None for what in found]
        first = said.index(False) if False in said else len(said)
        last = len(said) - said[::-1].index(False) if False in said else 0
        for j, (few, what) in enumerate(zip(parts, found, strict=True)):
            if what is not None and ((before and j < first) or (after and j >= last)):
                few.take(what.times + begin)


def _refine(texts: Sequence[Text], read: Read, total_s: float) -> None:
    """Align what was found once more, each run of words by itself: a window holds other voices and rooms, and its mean
    is not that of these words."""
    found = [span for text in texts for span in _runs(text)]
    found.sort(key=lambda span: float(span[0].times[span[1], 0]))
    limits = np.array([(float(t.times[a, 0]), float(t.times[b - 1, 1])) for t, a, b in found])
    for k, (text, first, stop) in enumerate(found):
        start = max(0.0, limits[k, 0] - ROOM_S, limits[k - 1, 1] if k else 0.0)
        end = min(total_s + TAIL_S, limits[k, 1] + ROOM_S, limits[k + 1, 0] if k + 1 < len(found) else np.inf)
        if end - start > MAX_DURATION_S:
            continue
        said = [tuple(spoken_words(token)) for token in text.tokens[first:stop]]
        words = [word for of in said for word in of]
        aligned = align(listen(read(start, end)), words, "lite") if end > start and words else None
        if aligned is None:
            continue
        own = aligned[0]
        times = np.full((len(words), 2), np.nan)
        for word in np.unique(own.word[own.word >= 0]):
            of = own.word == word
            times[word] = own.start[of].min() * HOP_S + EDGE_S + start, own.end[of].max() * HOP_S + EDGE_S + start
        at = 0
        for token, of in enumerate(said, start=first):
            new = times[at : at + len(of)]
            at += len(of)
            if len(of) and not np.isnan(new).all() and not np.isnan(text.times[token]).any():
                text.times[token] = np.nanmin(new[:, 0]), np.nanmax(new[:, 1])


def _runs(text: Text) -> list[tuple[Text, int, int]]:
    """The tokens of a text that were found and follow one another, without a long pause, as (text, first, stop)."""
    found: list[tuple[Text, int, int]] = []
    first = None
    for k in range(len(text.tokens) + 1):
        known = k < len(text.tokens) and not np.isnan(text.times[k]).any()
        apart = known and first is not None and text.times[k, 0] - text.times[k - 1, 1] > APART_S
        if first is not None and (not known or apart):
            found.append((text, first, k))
            first = None
        if known and first is None:
            first = k
    return found


def _between(low: float, high: float, claimed: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """What of [low, high) nobody claims, in pieces of half a second or more."""
    found, at = [], low
    for start, end in claimed:
        if end <= low or start >= high:
            continue
        if start - at >= LEAST_SPEECH_S:
            found.append((at, start))
        at = max(at, end)
    if high - at >= LEAST_SPEECH_S:
        found.append((at, high))
    return found
