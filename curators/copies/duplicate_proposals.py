"""Which clips of a corpus may be copies: those whose loud moments have near sketches, found by hashing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from .corpus import Corpus
from .fingerprint import LAG, SKETCH_BITS, STRIDE

TABLES = 48
KEY_BITS = 28
MAX_SKETCH_DISTANCE = 14
"""Of 64 bits; copies differ in 4 to 12, unrelated anchors in 32 on average."""
MAX_BUCKET = 200
"""Anchors with one key beyond this many are a common sound, not a common recording, and are not paired."""
NEAR_WORDS = 24
MIN_NEAR_SIMILARITY = 0.62
"""Of the words around two anchors that meet: copies have .65 and more at 10 dB, chance .5 with a spread of .03."""
CHUNK = 1 << 16
"""Pairs of anchors that are compared at once."""
RANGE = 1 << 23
"""Anchors that are sorted at once: a table of more is sorted range by range of its keys."""
SCAN = 1 << 21
"""Sketches that are looked through at once for those of a range."""
SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Odd: the high bits of its product with a key are a hash of the key (Knuth's multiplicative hashing)."""
MOST_PENDING = 1 << 22
"""Proposals that wait to be freed of repetitions."""


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

    Returns three `[M]` int64 arrays without repetition, in order. Two anchors meet when they agree in all bits of one
    of `TABLES` keys; sorting each table makes that linear in the anchors, up to the logarithm.
    """
    found, pending, waiting = np.zeros((3, 0), dtype=np.int64), list[np.ndarray](), 0
    for mask in table_masks():
        for keys, anchors in key_ranges(corpus.sketches, mask):
            for block in _meetings(corpus, keys, anchors):
                pending.append(block)
                waiting += block.shape[1]
                if waiting > max(MOST_PENDING, found.shape[1]):
                    found, pending, waiting = _distinct([found, *pending]), [], 0
            # not more often: the sketches of all clips would be mapped again each time
            corpus.forget()
    found = _distinct([found, *pending])
    return found[0], found[1], found[2]


def key_ranges(sketches: np.ndarray, mask: np.uint64) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The keys of one table, and which anchors have them `[M]` int64 in order; all equal keys come together, about
    `RANGE` anchors at once."""
    bits = max(0, (len(sketches) - 1) // RANGE).bit_length()
    if not bits:
        yield sketches & mask, np.arange(len(sketches))
        return
    for number in range(1 << bits):
        keys, anchors = [], []
        for start in range(0, len(sketches), SCAN):
            part = sketches[start : start + SCAN] & mask
            here = np.flatnonzero(part * SPREAD >> np.uint64(64 - bits) == number)
            keys.append(part[here])
            anchors.append(here + start)
        yield np.concatenate(keys), np.concatenate(anchors)


def _meetings(corpus: Corpus, keys: np.ndarray, anchors: np.ndarray) -> Iterator[np.ndarray]:
    """`alike` of anchors with equal keys."""
    order = np.argsort(keys, kind="stable")
    keys, anchors = keys[order], anchors[order]
    # anchors with one key stand side by side; those with another at a distance have one at every lesser distance
    first = np.arange(len(keys))
    for distance in range(1, MAX_BUCKET):
        first = first[first + distance < len(keys)]
        first = first[keys[first] == keys[first + distance]]
        if not first.size:
            break
        for start in range(0, len(first), CHUNK):
            part = first[start : start + CHUNK]
            yield alike(corpus, anchors[part], anchors[part + distance])


def _distinct(blocks: list[np.ndarray]) -> np.ndarray:
    """Columns of `[3, M]` blocks without repetition, in order."""
    rows = np.concatenate(blocks, axis=1)
    rows = rows[:, np.lexsort(rows[::-1])]
    new = np.ones(rows.shape[1], dtype=bool)
    new[1:] = (rows[:, 1:] != rows[:, :-1]).any(axis=0)
    return rows[:, new]


def alike(corpus: Corpus, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`[3, M]` int64 (i, j, shift) of those pairs of anchors that have near sketches and alike words around them."""
    near = np.bitwise_count(corpus.sketches[a] ^ corpus.sketches[b]) <= MAX_SKETCH_DISTANCE
    # anchors lie in the order of their clips
    a, b = np.minimum(a[near], b[near]), np.maximum(a[near], b[near])
    i, j = corpus.clip_of(a), corpus.clip_of(b)
    other = i != j
    a, b, i, j = a[other], b[other], i[other], j[other]
    at_anchor = np.stack([corpus.anchors[a], corpus.anchors[b]]).astype(np.int64)
    word = at_anchor // STRIDE
    offset = np.arange(-NEAR_WORDS // 2, NEAR_WORDS // 2) - LAG // 2
    at = word[:, :, None] + offset
    inside = (at >= 0) & (at < np.diff(corpus.word_start)[np.stack([i, j])][:, :, None])
    at = np.where(inside, at + corpus.word_start[np.stack([i, j])][:, :, None], 0)
    x, y = corpus.words[at]
    both = inside.all(axis=0) & (x != 0) & (y != 0)
    equal = np.where(both, 32 - np.bitwise_count(x ^ y).astype(np.int64), 0).sum(axis=1)
    compared = both.sum(axis=1)
    good = (compared >= NEAR_WORDS // 3) & (equal >= MIN_NEAR_SIMILARITY * 32 * compared)
    shift = np.round((at_anchor[1] - at_anchor[0]) / STRIDE).astype(np.int64)
    return np.stack([i, j, shift])[:, good]
