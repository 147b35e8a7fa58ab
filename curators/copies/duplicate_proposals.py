"""Which clips of a corpus may be copies: those whose loud moments have near sketches, found by hashing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .fingerprint import LAG, SKETCH_BITS, STRIDE, Fingerprint, sizes

MIN_DURATION_S = 2.0
"""Shorter clips have too few words to tell a copy from a coincidence; equal PCM is their only duplicate."""
TABLES = 48
KEY_BITS = 28
MAX_SKETCH_DISTANCE = 14
"""Of 64 bits; copies differ in 4 to 12, unrelated anchors in 32 on average."""
MAX_BUCKET = 200
"""Anchors with one key beyond this many are a common sound, not a common recording, and are not paired."""
NEAR_WORDS = 24
MIN_NEAR_SIMILARITY = 0.62
"""Of the words around two anchors that meet: copies have .65 and more at 10 dB, chance .5 with a spread of .03."""
CHUNK = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """All fingerprints end to end. word_start, anchor_start: `[N + 1]` int64 offsets of each clip's."""

    words: np.ndarray
    word_start: np.ndarray
    anchors: np.ndarray
    sketches: np.ndarray
    anchor_start: np.ndarray
    anchor_clip: np.ndarray
    audible: np.ndarray
    """`[N]` int64: words that are not silent."""

    def one(self, clip: int) -> Fingerprint:
        """The fingerprint of one clip."""
        words = slice(self.word_start[clip], self.word_start[clip + 1])
        anchors = slice(self.anchor_start[clip], self.anchor_start[clip + 1])
        return Fingerprint(self.words[words], self.anchors[anchors], self.sketches[anchors])


def gather(keys: Sequence[str], fingerprints: Sequence[bytes | None], durations_s: np.ndarray) -> Corpus:
    """The fingerprints of clips long enough; the others contribute nothing. ValueError for what is no fingerprint."""
    num = len(keys)
    word_start, anchor_start = np.zeros(num + 1, dtype=np.int64), np.zeros(num + 1, dtype=np.int64)
    for k, data in enumerate(fingerprints):
        if data is not None and durations_s[k] >= MIN_DURATION_S:
            try:
                anchor_start[k + 1], word_start[k + 1] = sizes(data)
            except ValueError as error:
                raise ValueError(f"clip '{keys[k]}': {error}") from None
    np.cumsum(word_start, out=word_start)
    np.cumsum(anchor_start, out=anchor_start)
    words = np.empty(word_start[-1], dtype=np.uint32)
    anchors = np.empty(anchor_start[-1], dtype=np.int64)
    sketches = np.empty(anchor_start[-1], dtype=np.uint64)
    for k in np.flatnonzero(np.diff(word_start)):
        one = Fingerprint.from_bytes(fingerprints[k] or b"")
        words[word_start[k] : word_start[k + 1]] = one.words
        anchors[anchor_start[k] : anchor_start[k + 1]] = one.anchors
        sketches[anchor_start[k] : anchor_start[k + 1]] = one.sketches
    return Corpus(
        words=words,
        word_start=word_start,
        anchors=anchors,
        sketches=sketches,
        anchor_start=anchor_start,
        anchor_clip=np.repeat(np.arange(num), np.diff(anchor_start)),
        audible=np.array([np.count_nonzero(words[a:b]) for a, b in pairwise(word_start)], dtype=np.int64),
    )


def table_masks() -> list[np.uint64]:
    """For each table the bits of the sketch that make its key, `KEY_BITS` of them, drawn by a hash."""
    masks = []
    for table in range(TABLES):
        draw = np.frombuffer(hashlib.shake_256(b"auricle table %d" % table).digest(8 * SKETCH_BITS), "<u8")
        positions = np.argsort(draw, kind="stable")[:KEY_BITS].astype(np.uint64)
        masks.append(np.bitwise_or.reduce(np.uint64(1) << positions))
    return masks


def proposals(corpus: Corpus) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of clips i < j that sound alike around an anchor, with the shift in words: j's word w + shift is i's w.

    Returns three `[M]` int64 arrays without repetition. Two anchors meet when they agree in all bits of one of
    `TABLES` keys; sorting each table makes that linear in the anchors, up to the logarithm.
    """
    found = [np.zeros((3, 0), dtype=np.int64)]
    for mask in table_masks():
        keys = corpus.sketches & mask
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        # anchors with one key stand side by side; those with another at a distance have one at every lesser distance
        first = np.arange(len(ordered))
        for distance in range(1, MAX_BUCKET):
            first = first[first + distance < len(ordered)]
            first = first[ordered[first] == ordered[first + distance]]
            if not first.size:
                break
            for start in range(0, len(first), CHUNK):
                part = first[start : start + CHUNK]
                found.append(alike(corpus, order[part], order[part + distance]))
    unique = np.unique(np.concatenate(found, axis=1), axis=1)
    return unique[0], unique[1], unique[2]


def alike(corpus: Corpus, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`[3, M]` int64 (i, j, shift) of those pairs of anchors that have near sketches and alike words around them."""
    near = np.bitwise_count(corpus.sketches[a] ^ corpus.sketches[b]) <= MAX_SKETCH_DISTANCE
    near &= corpus.anchor_clip[a] != corpus.anchor_clip[b]
    a, b = a[near], b[near]
    swap = corpus.anchor_clip[a] > corpus.anchor_clip[b]
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    i, j = corpus.anchor_clip[a], corpus.anchor_clip[b]
    word = np.stack([corpus.anchors[a], corpus.anchors[b]]) // STRIDE
    offset = np.arange(-NEAR_WORDS // 2, NEAR_WORDS // 2) - LAG // 2
    at = word[:, :, None] + offset
    inside = (at >= 0) & (at < np.diff(corpus.word_start)[np.stack([i, j])][:, :, None])
    at = np.where(inside, at + corpus.word_start[np.stack([i, j])][:, :, None], 0)
    x, y = corpus.words[at]
    both = inside.all(axis=0) & (x != 0) & (y != 0)
    equal = np.where(both, 32 - np.bitwise_count(x ^ y).astype(np.int64), 0).sum(axis=1)
    compared = both.sum(axis=1)
    good = (compared >= NEAR_WORDS // 3) & (equal >= MIN_NEAR_SIMILARITY * 32 * compared)
    shift = np.round((corpus.anchors[b] - corpus.anchors[a]) / STRIDE).astype(np.int64)
    return np.stack([i, j, shift])[:, good]
