"""Which clips of a corpus may be copies: those whose loud moments have near sketches, found by hashing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np

from .corpus import Corpus
from .fingerprint import LAG, SKETCH_BITS, STRIDE

TABLES = 48
KEY_BITS = 28
"""Of a corpus of at most `FEW` anchors; each doubling takes one more, so that the chance meetings of an anchor stay as
few. A longer key finds a little less: of copies with 5 of 64 bits turned an anchor meets its own in 95 % of cases by 28
bits and in 78 % by 31, and a clip has about ten."""
FEW = 1 << 24
MAX_SKETCH_DISTANCE = 14
"""Of 64 bits; copies differ in 4 to 12, unrelated anchors in 32 on average."""
MAX_BUCKET = 200
"""Anchors with one key beyond this many are a common sound, not a common recording, and are not paired."""
NEAR_WORDS = 24
MIN_NEAR_SIMILARITY = 0.62
"""Of the words around two anchors that meet: copies have .65 and more at 10 dB, chance .5 with a spread of .03."""
CHUNK = 1 << 16
"""Pairs of anchors whose words are compared at once."""
BATCH = 1 << 20
"""Pairs of anchors whose words are fetched at once: in the order of the file, which is walked through once a batch."""
STRETCH = 1 << 26
"""Words of the file that a batch has mapped at one moment."""
RANGE = 1 << 24
"""Anchors that are sorted at once: a table of more is sorted range by range of its keys."""
SCAN = 1 << 21
"""Sketches that are looked through at once for those of a range."""
SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Odd: the high bits of its product with a key are a hash of the key (Knuth's multiplicative hashing)."""
MOST_PENDING = 1 << 22
"""Proposals that wait to be freed of repetitions."""


def key_bits(anchors: int) -> int:
    """Bits of a key where there are so many anchors: at most 40."""
    return min(40, KEY_BITS + max(0, (max(anchors, 1) - 1) // FEW).bit_length())


def table_masks(bits: int = KEY_BITS) -> list[np.uint64]:
    """For each table the bits of the sketch that make its key, drawn by a hash."""
    masks = []
    for table in range(TABLES):
        draw = np.frombuffer(hashlib.shake_256(b"auricle table %d" % table).digest(8 * SKETCH_BITS), "<u8")
        positions = np.argsort(draw, kind="stable")[:bits].astype(np.uint64)
        masks.append(np.bitwise_or.reduce(np.uint64(1) << positions))
    return masks


def proposals(corpus: Corpus) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of clips i < j that sound alike around an anchor, with the shift in words: j's word w + shift is i's w.

    Returns three `[M]` int64 arrays without repetition, in order. Two anchors meet when they agree in all bits of one
    of `TABLES` keys; sorting each table makes that linear in the anchors, up to the logarithm.
    """
    found, pending, waiting = np.zeros((3, 0), dtype=np.int64), list[np.ndarray](), 0
    for mask in table_masks(key_bits(len(corpus.sketches))):
        for pairs in _batches(_meetings(corpus.sketches, mask), BATCH):
            pending.append(alike(corpus, *pairs))
            waiting += pending[-1].shape[1]
            if waiting > max(MOST_PENDING, found.shape[1]):
                found, pending, waiting = _distinct([found, *pending]), [], 0
        corpus.forget()
    found = _distinct([found, *pending])
    return found[0], found[1], found[2]


def _meetings(sketches: np.ndarray, mask: np.uint64) -> Iterator[np.ndarray]:
    """`[2, M]` int64: anchors that have one key in this table, and near sketches."""
    for keys, kept, anchors in key_ranges(sketches, mask):
        # anchors with one key stand side by side; those with another at a distance have one at every lesser distance
        first = np.flatnonzero(keys[:-1] == keys[1:])
        for distance in range(1, MAX_BUCKET):
            near = first[np.bitwise_count(kept[first] ^ kept[first + distance]) <= MAX_SKETCH_DISTANCE]
            yield np.stack([anchors[near], anchors[near + distance]])
            first = first[first + distance + 1 < len(keys)]
            first = first[keys[first] == keys[first + distance + 1]]
            if not first.size:
                break


def key_ranges(sketches: np.ndarray, mask: np.uint64) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of one table, in the order of the keys' hashes and then of the anchors, about `RANGE` anchors at once: `[M]`
    uint64 hashes of the keys, `[M]` uint64 sketches, `[M]` int64 which anchors. All equal keys come together.

    Sorted are numbers that hold the hash in their high bits and the place in the low ones: much faster than an argsort.
    Two keys may share what is left of a hash; their anchors then meet in vain.
    """
    bits = max(0, (len(sketches) - 1) // RANGE).bit_length()
    for number in range(1 << bits):
        hashes, kept, anchors = [], [], []
        for start in range(0, len(sketches), SCAN):
            part = sketches[start : start + SCAN]
            hashed = (part & mask) * SPREAD
            here = np.flatnonzero(hashed >> np.uint64(64 - bits) == number) if bits else np.arange(len(part))
            hashes.append(hashed[here] << np.uint64(bits))
            kept.append(part[here])
            anchors.append(here + start)
        if not hashes:
            return
        packed = np.concatenate(hashes)
        del hashes
        places = np.uint64(len(packed).bit_length())
        packed = (packed >> places << places) | np.arange(len(packed), dtype=np.uint64)
        packed.sort()
        order = (packed & ((np.uint64(1) << places) - np.uint64(1))).astype(np.int64)
        packed >>= places
        yield packed, np.concatenate(kept)[order], np.concatenate(anchors)[order]


def _batches(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """`[2, M]` blocks side by side, until there are `size` columns or more."""
    held, waiting = list[np.ndarray](), 0
    for block in blocks:
        held.append(block)
        waiting += block.shape[1]
        if waiting >= size:
            yield np.concatenate(held, axis=1)
            held, waiting = [], 0
    if waiting:
        yield np.concatenate(held, axis=1)


def _distinct(blocks: list[np.ndarray]) -> np.ndarray:
    """Columns of `[3, M]` blocks without repetition, in order."""
    rows = np.concatenate(blocks, axis=1)
    rows = rows[:, np.lexsort(rows[::-1])]
    new = np.ones(rows.shape[1], dtype=bool)
    new[1:] = (rows[:, 1:] != rows[:, :-1]).any(axis=0)
    return rows[:, new]


def alike(corpus: Corpus, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`[3, M]` int64 (i, j, shift) of those pairs of anchors of different clips that have alike words around them."""
    # anchors lie in the order of their clips
    a, b = np.minimum(a, b), np.maximum(a, b)
    anchors, places = np.unique(np.concatenate([a, b]), return_inverse=True)
    clips = corpus.clip_of(anchors)
    first, second = np.split(places, 2)
    other = clips[first] != clips[second]
    first, second = first[other], second[other]
    at = corpus.anchors[anchors].astype(np.int64)
    around = _words_around(corpus, clips, at // STRIDE)
    found = []
    for start in range(0, len(first), CHUNK):
        i, j = first[start : start + CHUNK], second[start : start + CHUNK]
        x, y = around[i], around[j]
        both = (x != 0) & (y != 0)
        equal = np.where(both, 32 - np.bitwise_count(x ^ y).astype(np.int64), 0).sum(axis=1)
        compared = both.sum(axis=1)
        good = (compared >= NEAR_WORDS // 3) & (equal >= MIN_NEAR_SIMILARITY * 32 * compared)
        i, j = i[good], j[good]
        found.append(np.stack([clips[i], clips[j], np.round((at[j] - at[i]) / STRIDE).astype(np.int64)]))
    return np.concatenate([np.zeros((3, 0), dtype=np.int64), *found], axis=1)


def _words_around(corpus: Corpus, clips: np.ndarray, word: np.ndarray) -> np.ndarray:
    """`[M, NEAR_WORDS]` uint32 around each place, 0 (silence) outside the clip; clips must ascend."""
    around = np.zeros((len(clips), NEAR_WORDS), dtype=np.uint32)
    begin, length = corpus.word_start[clips], np.diff(corpus.word_start)[clips]
    offset = np.arange(-NEAR_WORDS // 2, NEAR_WORDS // 2) - LAG // 2
    done = 0
    while done < len(clips):
        until = int(np.searchsorted(begin, begin[done] + STRETCH, side="right"))
        part = slice(done, until)
        at = word[part, None] + offset
        inside = (at >= 0) & (at < length[part, None])
        # 0: some word that is there
        at = np.where(inside, at + begin[part, None], begin[part, None])
        around[part] = np.where(inside, corpus.words[at], 0)
        if until < len(clips):
            corpus.forget()
        done = until
    return around
