"""Where to cut: clips and named gaps that tile a recording, every cut in a pause where there is one.

1. A long pause is left out: what is more than a breath of it on either side is a gap.
2. What is left is cut where it is longer than a clip may be, in the fewest and longest pauses that do.
3. What is too short takes more of the pauses beside it, or joins its neighbour.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...curators.signal.vad import FRAME_S
from ...schemas.time import samples
from .listening import frame_edge, runs

SPEECH_FROM = 0.3
"""Probability from which no cut is made without need; below the detector's own .5, so that onsets and endings count."""
GUARD_FRAMES = 1
"""Frames (32 ms) beside speech that are no pause either."""
LONG_PAUSE_S = 2.0
"""A pause from this length on is a gap but for `BREATH_S` at each end."""
BREATH_S = 0.3
SHORT_PAUSE_FRAMES = 2
"""Frames that a pause has at least, guards taken off."""
NO_SPEECH, TOO_SHORT, OVERLAP = "no_speech", "too_short", "overlap"
"""Names of gaps: nobody speaks; somebody does, for less than the shortest clip (a recording, or between the turns of
others); two speak at once by their turns."""
PAUSE_PRICE_S = 0.3
"""A cut in a pause of this length (s) costs as much again as the cut itself."""
BETWEEN_WORDS, IN_SPEECH, IN_WORD = 30.0, 60.0, 1e6
"""Prices of cuts where there is no pause: between two aligned words, where no word is known, inside a word."""
OF_TWO_KINDS = 4.0
"""Price per second of speech of another kind in a clip: half a second of it is worth a cut."""
GRID_FRAMES = 15
"""Where there are no pauses one place is considered in so many frames (half a second), the quietest."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples [start, end) that are in no clip, and why."""

    start: int
    end: int
    kind: str


@dataclass(slots=True)
class Tiling:
    """clips: spans [start, end), ascending. gaps: what lies between them. forced: cuts where nobody paused."""

    clips: list[tuple[int, int]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    forced: int = 0


def tile(
    speech: np.ndarray,
    num_samples: int,
    sample_rate: int,
    min_s: float,
    max_s: float,
    words: np.ndarray | None = None,
    turns: Sequence[int] = (),
    kinds: np.ndarray | None = None,
) -> Tiling:
    """Clips of `min_s` to `max_s` and the gaps between them, which together are [0, num_samples).

    speech: `[C, F]` float32 probability of speech per 32 ms. A span suits all channels: a pause is one of all, and
    where there is none, a cut is where the fewest speak.
    words: `[W, 2]` samples [start, end) of words whose times are known. turns: samples at which a cut has to be.
    kinds: `[K, F]` how much of each kind of speech a frame holds (what the labels have, what they have not, each
    speaker's): a clip of two kinds has half a text, or two speakers, and is cut in two where it can be.
    """
    cutter = _Cutter(speech, num_samples, sample_rate, min_s, max_s, words, kinds)
    found = Tiling()
    edges = sorted({0, num_samples, *(t for t in turns if 0 < t < num_samples)})
    for first, last in itertools.pairwise(edges):
        cutter.part(first, last, found)
    return found


class _Cutter:
    def __init__(
        self,
        speech: np.ndarray,
        num_samples: int,
        sample_rate: int,
        min_s: float,
        max_s: float,
        words: np.ndarray | None,
        kinds: np.ndarray | None,
    ) -> None:
        self._rate = sample_rate
        self._min, self._max = max(1, samples(min_s, sample_rate)), samples(max_s, sample_rate)
        self._words = np.zeros((0, 2), np.int64) if words is None or not len(words) else words[words[:, 0].argsort()]
        # words may overlap (two channels): the latest end so far decides whether a place is inside one
        self._latest = np.maximum.accumulate(self._words[:, 1]) if len(self._words) else np.zeros(0, np.int64)
        # where all pause the largest decides, where none does how many speak
        self._speaking = speech.sum(axis=0)
        speech = speech.max(axis=0)
        self._speech = speech
        self._kinds = None if kinds is None else np.cumsum(kinds, axis=1, dtype=np.int32)
        busy = np.convolve(speech >= SPEECH_FROM, np.ones(2 * GUARD_FRAMES + 1), "same") > 0.5
        for start, end in self._words:
            busy[self._frame(start) : self._frame(end) + 1] = True
        edges = ((self._edge(a, num_samples), self._edge(b, num_samples)) for a, b in runs(~busy))
        self._pauses = [(a, b) for a, b in edges if b > a]
        self._heard = [(self._edge(a, num_samples), self._edge(b, num_samples)) for a, b in runs(busy)]

    def part(self, first: int, last: int, found: Tiling) -> None:
        """Tile samples [first, last), which is between two turns or the whole recording."""
        stretches = self._stretches(first, last)
        at = first
        for start, end in stretches:
            if start > at:
                found.gaps.append(Gap(at, start, NO_SPEECH))
            at = end
            if end - start < self._min:
                found.gaps.append(Gap(start, end, TOO_SHORT))
            else:
                self._cut(start, end, found)
        if at < last:
            found.gaps.append(Gap(at, last, NO_SPEECH))

    def _stretches(self, first: int, last: int) -> list[tuple[int, int]]:
        """Spans with speech, long pauses apart, each at least as long as a clip where there is room for it."""
        breath, long_pause = samples(BREATH_S, self._rate), samples(LONG_PAUSE_S, self._rate)
        heard = [(max(a, first), min(b, last)) for a, b in self._heard if a < last and b > first]
        joined: list[list[int]] = []
        for a, b in heard:
            if joined and a - joined[-1][1] < long_pause:
                joined[-1][1] = b
            else:
                joined.append([a, b])
        for k, stretch in enumerate(joined):
            before = stretch[0] - (joined[k - 1][1] if k else first)
            after = (joined[k + 1][0] if k + 1 < len(joined) else last) - stretch[1]
            # a pause at either end of the recording is one as well
            lead, tail = (room if room < long_pause else breath for room in (before, after))
            if k:
                lead = breath
            if k + 1 < len(joined):
                tail = breath
            joined[k] = [stretch[0] - lead, stretch[1] + tail, *stretch]
        grown: list[tuple[int, int]] = []
        for k, (start, end, *_) in enumerate(joined):
            floor = grown[-1][1] if grown else first
            ceiling = joined[k + 1][0] if k + 1 < len(joined) else last
            start = max(start, floor)
            if (need := self._min - (end - start)) > 0:
                left, right = start - floor, ceiling - end
                before = min(left, max(need // 2, need - right))
                after = min(right, need - before)
                start, end = start - before, end + after
                if end - start < self._min and grown:
                    # nothing is left beside it: it goes on where the one before it ends
                    start = grown.pop()[0]
            grown.append((start, end))
        while len(grown) > 1 and grown[0][1] - grown[0][0] < self._min:
            grown[:2] = [(grown[0][0], grown[1][1])]
        return grown

    def _cut(self, start: int, end: int, found: Tiling) -> None:
        """Cut [start, end) into the fewest clips, at the lowest price."""
        if end - start <= self._max and (self._kinds is None or not self._mixed(np.array([start]), end)[0]):
            found.clips.append((start, end))
            return
        places, prices = self._places(start, end)
        least = np.full(len(places), np.inf)
        before = np.zeros(len(places), np.int64)
        least[0] = 0.0
        low = 0
        for k in range(1, len(places)):
            while places[k] - places[low] > self._max:
                low += 1
            high = int(np.searchsorted(places, places[k] - self._min, side="right"))
            if high > low:
                total = least[low:high]
                if self._kinds is not None:
                    total = total + OF_TWO_KINDS * self._mixed(places[low:high], int(places[k]))
                best = low + int(np.argmin(total))
                least[k], before[k] = total[best - low] + prices[k], best
        cuts, k = [], len(places) - 1
        while k > 0:
            cuts.append(k)
            k = int(before[k])
        cuts = cuts[::-1]
        found.forced += int(sum(prices[k] >= BETWEEN_WORDS for k in cuts[:-1]))
        edges = [start, *(int(places[k]) for k in cuts)]
        found.clips += list(itertools.pairwise(edges))

    def _mixed(self, starts: np.ndarray, end: int) -> np.ndarray:
        """Seconds of [start, end) whose speech is of another kind than most of it, for every start, `[N]`."""
        assert self._kinds is not None
        last = max(min(self._frame(end), self._kinds.shape[1]) - 1, 0)
        firsts = np.minimum((starts / (FRAME_S * self._rate)).astype(int), self._kinds.shape[1] - 1)
        of = self._kinds[:, last, None] - self._kinds[:, firsts]
        return (of.sum(axis=0) - of.max(axis=0)) * FRAME_S

    def _places(self, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Samples at which [start, end) may be cut, both ends among them, ascending, and what a cut there costs."""
        price: dict[int, float] = {}

        def offer(place: int, cost: float) -> None:
            if start < place < end:
                price[place] = min(cost, price.get(place, np.inf))

        for a, b in self._pauses:
            if a < end and b > start and b - a >= frame_edge(SHORT_PAUSE_FRAMES, self._rate):
                offer((a + b) // 2, 1 + PAUSE_PRICE_S * self._rate / (b - a))
        low, high = np.searchsorted(self._words[:, 0], [start, end])
        for k in range(max(int(low), 1), int(high)):
            a, b = int(self._latest[k - 1]), int(self._words[k, 0])
            if b >= a:
                offer((a + b) // 2, BETWEEN_WORDS)
        first, last = self._frame(start), self._frame(end)
        for block in range(first, last, GRID_FRAMES):
            here = self._speaking[block : min(block + GRID_FRAMES, last)]
            if here.size:
                place = frame_edge(block + int(here.argmin()), self._rate)
                offer(place, self._unpaused(place, float(here.min())))
        parts = -(-(end - start) // self._max)
        for k in range(1, parts):
            place = start + (end - start) * k // parts
            offer(place, self._unpaused(place, 1.0) + 1)
        places = np.array([start, *sorted(price), end], np.int64)
        return places, np.array([0.0, *(price[p] for p in sorted(price)), 0.0])

    def _unpaused(self, place: int, speech: float) -> float:
        k = int(np.searchsorted(self._words[:, 0], place))
        return IN_WORD if k and self._latest[k - 1] > place else IN_SPEECH * (1 + speech)

    def _frame(self, sample: int) -> int:
        return int(sample / (FRAME_S * self._rate))

    def _edge(self, frame: int, num_samples: int) -> int:
        return num_samples if frame >= len(self._speech) else min(frame_edge(frame, self._rate), num_samples)


def check_tiling(found: Tiling, num_samples: int) -> None:
    """Raises `AssertionError` unless clips and gaps are disjoint and together all samples."""
    at = 0
    for start, end in sorted([*found.clips, *((gap.start, gap.end) for gap in found.gaps)]):
        assert at == start < end, f"sample {at}: a span begins at {start} and ends at {end}"
        at = end
    assert at == num_samples, f"the spans end at sample {at} of {num_samples}"
