"""N-gram count tables: exact integer statistics that add, subtract and shorten.

An n-gram is a predicted symbol with `order` context symbols, the most distant first. It is packed into one int64 in
radix `cardinality + 1`; the extra symbol stands for "before the clip began" and occurs in contexts only. Packing is
exact (no hashing, so no collisions): a table that would not fit 63 bits is refused.

Sums of integers do not depend on their order, so any split of a corpus merges to the same table, and the table of a
corpus without one fold is the whole minus that fold, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

_KEY_LIMIT = 2**63


def max_order(cardinality: int) -> int:
    """Longest context, in symbols, whose n-grams over `cardinality` symbols fit an int64 key; at least 0."""
    radix, order = cardinality + 1, 0
    while radix ** (order + 2) < _KEY_LIMIT:
        order += 1
    return order


def pack(symbols: Sequence[np.ndarray], cardinality: int) -> np.ndarray:
    """Keys of n-grams given symbol by symbol, the most distant context first and the predicted symbol last.

    symbols: `order + 1` integer arrays `[N]` with values in [0, cardinality]. Returns `[N]` int64.
    Raises ValueError when the n-gram does not fit 63 bits.
    """
    radix = cardinality + 1
    if radix ** len(symbols) >= _KEY_LIMIT:
        raise ValueError(
            f"{len(symbols)}-grams over {cardinality} symbols do not fit a 63-bit key; "
            f"the longest that do have {max_order(cardinality) + 1} symbols"
        )
    keys = symbols[0].astype(np.int64)
    for symbol in symbols[1:]:
        keys *= radix
        keys += symbol
    return keys


@dataclass(frozen=True, slots=True, eq=False)
class NgramCounts:
    """Distinct n-grams and how often each occurred. `keys` is sorted; both arrays are `[M]` int64."""

    cardinality: int
    order: int
    """Context symbols per n-gram; 0 counts single symbols."""
    keys: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, keys: np.ndarray, cardinality: int, order: int) -> NgramCounts:
        """Count packed n-grams `[N]`, in any order."""
        distinct, counts = np.unique(keys, return_counts=True)
        return cls(cardinality, order, distinct.astype(np.int64), counts.astype(np.int64))

    @property
    def total(self) -> int:
        """N-grams counted, with repetition."""
        return int(self.counts.sum())

    def __len__(self) -> int:
        return self.keys.shape[0]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NgramCounts):
            return NotImplemented
        return (
            (self.cardinality, self.order) == (other.cardinality, other.order)
            and np.array_equal(self.keys, other.keys)
            and np.array_equal(self.counts, other.counts)
        )

    def __add__(self, other: NgramCounts) -> NgramCounts:
        return merge((self, other))

    def __sub__(self, other: NgramCounts) -> NgramCounts:
        """The table without what `other` counted; ValueError when `other` was never part of it."""
        self._require_same_kind(other)
        if not len(other):
            return self
        at = np.searchsorted(self.keys, other.keys)
        if not len(self) or at[-1] >= len(self) or not np.array_equal(self.keys[at], other.keys):
            raise ValueError("cannot subtract n-gram counts: an n-gram to remove is not in the table")
        counts = self.counts.copy()
        counts[at] -= other.counts
        if counts[at].min() < 0:
            raise ValueError("cannot subtract n-gram counts: an n-gram would be left with a negative count")
        left = counts > 0
        return NgramCounts(self.cardinality, self.order, self.keys[left], counts[left])

    def shorten(self, order: int) -> NgramCounts:
        """The same corpus counted with only the `order` nearest context symbols."""
        if order == self.order:
            return self
        if not 0 <= order < self.order:
            raise ValueError(f"cannot shorten n-grams with {self.order} context symbols to {order}")
        suffix = self.keys % (self.cardinality + 1) ** (order + 1)
        return _sum_by_key(suffix, self.counts, self.cardinality, order)

    def context_counts(self) -> np.ndarray:
        """How often each distinct context occurred, `[C]` int64, in key order."""
        return np.add.reduceat(self.counts, self._context_starts()) if len(self) else self.counts

    def missing_mass(self) -> float:
        """Good-Turing estimate of the probability that the next n-gram is one never counted: singletons over total.

        Good 1953; as a gate for plug-in entropies see `conditional_entropy`. 1.0 for an empty table.
        """
        return float(np.count_nonzero(self.counts == 1) / self.total) if len(self) else 1.0

    def conditional_entropy(self) -> float:
        """Plug-in entropy of the predicted symbol given its context, Miller-Madow corrected, bits per symbol.

        H(n-gram) - H(context), each with (distinct - 1) / (2 N ln 2) added (Miller 1955). It is no bound: with
        `missing_mass` above some 0.01 it reads too low, and far too low as the contexts stop repeating.
        """
        return _miller_madow(self.counts) - (_miller_madow(self.context_counts()) if self.order else 0.0)

    def _context_starts(self) -> np.ndarray:
        contexts = self.keys // (self.cardinality + 1)
        return np.flatnonzero(np.concatenate(([True], contexts[1:] != contexts[:-1])))

    def _require_same_kind(self, other: NgramCounts) -> None:
        if (self.cardinality, self.order) != (other.cardinality, other.order):
            raise ValueError(
                f"n-gram tables differ in kind: cardinality {self.cardinality} order {self.order} "
                f"and cardinality {other.cardinality} order {other.order}"
            )


def merge(tables: Iterable[NgramCounts]) -> NgramCounts:
    """The table of all corpora together; at least one table, all of one cardinality and order."""
    parts = list(tables)
    if not parts:
        raise ValueError("merging n-gram counts needs at least one table")
    first = parts[0]
    for part in parts[1:]:
        first._require_same_kind(part)
    if len(parts) == 1:
        return first
    keys = np.concatenate([part.keys for part in parts])
    counts = np.concatenate([part.counts for part in parts])
    return _sum_by_key(keys, counts, first.cardinality, first.order)


def _sum_by_key(keys: np.ndarray, counts: np.ndarray, cardinality: int, order: int) -> NgramCounts:
    if not keys.shape[0]:
        return NgramCounts(cardinality, order, keys.astype(np.int64), counts.astype(np.int64))
    # a stable sort merges runs that are sorted already, which is what concatenated tables are
    by_key = np.argsort(keys, kind="stable")
    keys, counts = keys[by_key], counts[by_key]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    return NgramCounts(cardinality, order, keys[starts], np.add.reduceat(counts, starts))


def _miller_madow(counts: np.ndarray) -> float:
    total = counts.sum()
    if total == 0:
        return 0.0
    share = counts / total
    return float(-(share * np.log2(share)).sum() + (counts.shape[0] - 1) / (2 * total * np.log(2)))
