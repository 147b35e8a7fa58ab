"""Copies across a corpus: sketches propose pairs of clips, laying them over each other decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from ...schemas.clip import Clip
from ...schemas.score import UNMEASURABLE, Row, ScoreColumn
from ..perclip import PerClip
from ..waveform import RESAMPLER, resampled
from .corpus import MIN_DURATION_S, Corpus, gather
from .duplicate_proposals import proposals
from .fingerprint import LAG, SAMPLE_RATE, STRIDE, Fingerprint, fingerprint

MIN_SIMILARITY = 0.66
CHANCE_SPREAD = 1.8
MIN_WORST_SIMILARITY = 0.58
"""Of the worst block: a sentence that differs from another in one phrase fails there and only there."""
BLOCK_WORDS = 24
MIN_BLOCK_AUDIBLE = 12
MAX_ANCHOR_HOPS = 6
MAX_ANCHOR_DISTANCE = 12
"""Of 64 bits, between the sketches of two anchors that agree."""
CLOSE_SIMILARITY = 0.8
"""Anchors with far sketches agree all the same when the words around them are this alike: codecs bend sketches."""
MIN_ANCHOR_SIMILARITY = 0.75
"""And so does an anchor that has no counterpart: noise moves peaks."""
MAX_DISAGREEING = 0.1
AROUND_WORDS = 9
EDGE_WORDS = 16
"""Words (0.5 s) that a sketch reaches to either side, half a window included."""
MIN_COVERAGE = 0.8
MIN_AUDIBLE = 32
WORDS_AT_ONCE = 1 << 22
"""Pairs of words that are compared at once."""


class DuplicatesCurator(PerClip):
    """The acoustic fingerprint; which clips are copies is decided over the whole corpus by `find_duplicates`."""

    name = "duplicates"
    version = 1
    columns = (
        ScoreColumn(
            "duplicate_fingerprint", "binary", "1", "What survives re-encoding, shift and noise; see find_duplicates"
        ),
    )

    def weights(self) -> str:
        """The resampler's name."""
        return RESAMPLER

    def measure(self, clip: Clip) -> Row:
        """The fingerprint of a clip of at least 2 s."""
        if clip.duration_s < MIN_DURATION_S:
            return {"reason": f"{UNMEASURABLE}: shorter than {MIN_DURATION_S:g} s, only equal samples make a duplicate"}
        return {"duplicate_fingerprint": fingerprint(resampled(clip, SAMPLE_RATE)).to_bytes()}


def required_similarity(compared: np.ndarray, least: float = MIN_SIMILARITY) -> np.ndarray:
    """What two clips must have in common to be copies, by the number of words compared: chance spreads with its root.

    Of two million alignments of unrelated clips, (similarity - .5) * sqrt(words) exceeded .74 once in 10⁴ and 1.07
    never; every further .15 is taken to be ten times rarer.
    """
    return np.maximum(least, 0.5 + CHANCE_SPREAD / np.sqrt(np.maximum(compared, 1)))


def overlap_similarity(
    corpus: Corpus, i: np.ndarray, j: np.ndarray, shift: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How well clips agree at a shift: share of equal bits, the same in the worst block, words compared. Each `[M]`.

    Only words that are audible in both count. 0.5 is chance.
    """
    first = np.maximum(0, -shift)
    length_i = np.diff(corpus.word_start)[i]
    length_j = np.diff(corpus.word_start)[j]
    count = np.maximum(np.minimum(length_i, length_j - shift) - first, 0)
    owner = np.repeat(np.arange(len(i)), count)
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    at_i = (corpus.word_start[i] + first)[owner] + place
    at_j = (corpus.word_start[j] + first + shift)[owner] + place
    a, b = corpus.words[at_i], corpus.words[at_j]
    both = (a != 0) & (b != 0)
    owner, place = owner[both], place[both]
    equal = 32 - np.bitwise_count(a[both] ^ b[both]).astype(np.int64)
    compared = np.bincount(owner, minlength=len(i))
    similarity = np.bincount(owner, equal, minlength=len(i)) / np.maximum(32 * compared, 1)
    blocks = count // BLOCK_WORDS + 1
    block_start = np.cumsum(blocks) - blocks
    block = block_start[owner] + place // BLOCK_WORDS
    in_block = np.bincount(block, minlength=int(blocks.sum()))
    agree = np.bincount(block, equal, minlength=int(blocks.sum())) / np.maximum(32 * in_block, 1)
    agree[in_block < MIN_BLOCK_AUDIBLE] = 1.0
    worst = np.minimum.reduceat(agree, block_start) if len(i) else np.zeros(0)
    return similarity, worst, compared


def anchors_agree(a: Fingerprint, b: Fingerprint, shift: int) -> bool:
    """Whether every loud moment sounds the same in both, but for one in ten: two takes or two sentences that share
    most of their words fail where they differ, however alike the rest is.

    An anchor agrees when the other clip has one there with a near sketch, or, where noise moved the peak, when the
    words around it are alike. Anchors whose surroundings reach over an end of either clip are not asked.
    """
    similar = local_similarity(a, b, shift)
    disagreeing = asked = 0
    for own, other, sign in ((a, b, 1), (b, a, -1)):
        if not len(own.anchors) or not len(other.anchors):
            return False
        there = own.anchors.astype(np.int64) + sign * shift * STRIDE
        theirs = other.anchors.astype(np.int64)
        right = np.searchsorted(theirs, there).clip(1, len(theirs)) - 1
        nearest = np.where(
            np.abs(theirs[np.minimum(right + 1, len(theirs) - 1)] - there) < np.abs(theirs[right] - there),
            np.minimum(right + 1, len(theirs) - 1),
            right,
        )
        matched = np.abs(theirs[nearest] - there) <= MAX_ANCHOR_HOPS
        distance = np.bitwise_count(own.sketches ^ other.sketches[nearest])
        word = own.anchors.astype(np.int64) // STRIDE
        place = word - LAG // 2 + (0 if sign == 1 else -shift)
        around = similar[place.clip(0, len(similar) - 1)]
        inside = np.minimum(word, there // STRIDE) >= EDGE_WORDS
        inside &= word < len(own.words) - EDGE_WORDS
        inside &= there // STRIDE < len(other.words) - EDGE_WORDS
        unlike = around < np.where(matched, CLOSE_SIMILARITY, MIN_ANCHOR_SIMILARITY)
        wrong = unlike & (~matched | (distance > MAX_ANCHOR_DISTANCE))
        # a matched pair would be asked twice
        counted = inside & (~matched | (sign == 1))
        disagreeing += int((wrong & counted).sum())
        asked += int(counted.sum())
    return asked > 0 and disagreeing <= MAX_DISAGREEING * asked


def local_similarity(a: Fingerprint, b: Fingerprint, shift: int) -> np.ndarray:
    """Share of equal bits around every word of `a`, `[W]`, 1.0 where too few words are audible in both."""
    other = np.zeros(len(a.words), dtype=np.uint32)
    first, last = max(0, -shift), min(len(a.words), len(b.words) - shift)
    if last > first:
        other[first:last] = b.words[first + shift : last + shift]
    both = (a.words != 0) & (other != 0)
    equal = np.where(both, 32 - np.bitwise_count(a.words ^ other).astype(np.int64), 0)
    window = np.ones(2 * AROUND_WORDS + 1, dtype=np.int64)
    agreeing, compared = (np.convolve(x, window)[AROUND_WORDS:-AROUND_WORDS] for x in (equal, both.astype(np.int64)))
    return np.where(compared >= AROUND_WORDS, agreeing / np.maximum(32 * compared, 1), 1.0)


def find_duplicates(
    keys: Sequence[str] | pa.ChunkedArray,
    fingerprints: Iterable[bytes | None],
    durations_s: np.ndarray,
    min_similarity: float = MIN_SIMILARITY,
    folder: Path | None = None,
) -> list[tuple[int, int, float]]:
    """Pairs (i, j, similarity) of clips that are copies of one another, i < j, in order.

    keys: names of the clips, for messages. fingerprints: of `DuplicatesCurator`, as many as keys, None where there is
    none; read once. durations_s: `[N]`. folder: for the files that hold them meanwhile (`gather`). similarity: share
    of equal bits where both are audible; 0.5 is chance, 1.0 the same audio. A copy of a part of another clip, less
    than `MIN_COVERAGE` of it, is no duplicate. Memory: about 32 bytes per clip, and what is found.
    """
    if len(keys) != len(durations_s):
        raise ValueError(f"{len(keys)} keys and {len(durations_s)} durations")
    durations_s = np.asarray(durations_s, dtype=np.float64)
    corpus = gather(keys, fingerprints, durations_s, folder)
    i, j, shift = proposals(corpus)
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for part in _portions(corpus, i, j):
        for nudge in (0, -1, 1):
            a, b, s = i[part], j[part], shift[part] + nudge
            similarity, worst, compared = overlap_similarity(corpus, a, b, s)
            fewer = np.minimum(corpus.audible[a], corpus.audible[b])
            more = np.maximum(corpus.audible[a], corpus.audible[b])
            ratio = np.minimum(durations_s[a], durations_s[b]) / np.maximum(durations_s[a], durations_s[b])
            good = (similarity >= required_similarity(compared, min_similarity)) & (worst >= MIN_WORST_SIMILARITY)
            good &= compared >= np.maximum(MIN_COVERAGE * fewer, MIN_AUDIBLE)
            good &= np.maximum(ratio, fewer / np.maximum(more, 1)) >= MIN_COVERAGE
            for k in np.flatnonzero(good):
                pair = (int(a[k]), int(b[k]))
                best[pair] = max(best.get(pair, (0.0, 0)), (float(similarity[k]), int(s[k])))
        corpus.forget()
    return [
        (a, b, similarity)
        for (a, b), (similarity, at) in sorted(best.items())
        if anchors_agree(corpus.one(a), corpus.one(b), at)
    ]


def _portions(corpus: Corpus, i: np.ndarray, j: np.ndarray) -> Iterator[slice]:
    """Slices of pairs of clips, each of about `WORDS_AT_ONCE` words or of one pair."""
    length = np.diff(corpus.word_start)
    until = np.cumsum(np.minimum(length[i], length[j]))
    first = 0
    while first < len(i):
        done = until[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(until, done + WORDS_AT_ONCE, side="right")))
        yield slice(first, last)
        first = last


def clusters(num: int, pairs: Iterable[tuple[int, int, float]]) -> np.ndarray:
    """`[num]` int64: the smallest clip of each clip's connected component; itself where it has no copy."""
    parent: dict[int, int] = {}

    def root(x: int) -> int:
        while (above := parent.setdefault(x, x)) != x:
            parent[x] = parent[above]
            x = parent[x]
        return x

    for a, b, _ in pairs:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    smallest = np.arange(num)
    for x in parent:
        smallest[x] = root(x)
    return smallest
