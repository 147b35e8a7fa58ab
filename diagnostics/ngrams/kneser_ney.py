"""Interpolated Kneser-Ney: a predictive model from one count table, exactly normalised over a closed alphabet.

Chen & Goodman 1999, "An empirical study of smoothing techniques for language modeling", section 3: the longest
n-grams use raw counts, shorter ones count the distinct symbols that precede them, and what discounting takes from a
context is given to its shorter context, down to the uniform distribution over the `cardinality` symbols. There is
no end symbol and no unknown word, so probabilities of the symbols sum to one in every context, and the held-out code
length is an upper bound (in expectation) on the entropy rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .counts import NgramCounts

# A discount of 0 would give unseen symbols no probability and an infinite code length where the count of counts
# finds no singletons; above 0.98 of the count nearly nothing of the evidence would be left.
_DISCOUNT_FLOOR, _DISCOUNT_CEILING = 0.02, 0.98


@dataclass(frozen=True, slots=True)
class _Level:
    """One context length: n-grams with their probability, contexts with the weight of what is shorter."""

    keys: np.ndarray
    probability: np.ndarray
    contexts: np.ndarray
    backoff: np.ndarray


class KneserNey:
    """A fitted model. `order` context symbols, the most distant dropped first when a context was never seen."""

    def __init__(self, counts: NgramCounts) -> None:
        """counts: the training table; an empty one gives the uniform distribution."""
        self.cardinality, self.order = counts.cardinality, counts.order
        self._radix = counts.cardinality + 1
        keys, tallies = [counts.keys], [counts.counts]
        to_shorter: list[np.ndarray] = []
        for order in range(counts.order - 1, -1, -1):
            suffix = keys[-1] % self._radix ** (order + 1)
            # numpy 2 gives the inverse the input's shape; all arrays here are one-dimensional
            distinct, inverse, preceding = np.unique(suffix, return_inverse=True, return_counts=True)
            keys.append(distinct)
            tallies.append(preceding)
            to_shorter.append(inverse)
        self._levels: list[_Level] = []
        if not len(counts):
            return
        for order in range(counts.order + 1):
            depth = counts.order - order
            shorter = self._levels[-1].probability[to_shorter[depth]] if order else 1.0 / self.cardinality
            self._levels.append(self._level(keys[depth], tallies[depth], shorter))

    def _level(self, keys: np.ndarray, counts: np.ndarray, shorter: np.ndarray | float) -> _Level:
        contexts = keys // self._radix
        starts = np.flatnonzero(np.concatenate(([True], contexts[1:] != contexts[:-1])))
        sizes = np.diff(np.append(starts, keys.shape[0]))
        totals = np.add.reduceat(counts, starts).astype(np.float64)
        taken = discounts(counts)[np.minimum(counts, 3)]
        backoff = np.add.reduceat(taken, starts) / totals
        probability = (counts - taken) / np.repeat(totals, sizes) + np.repeat(backoff, sizes) * shorter
        return _Level(keys, probability, contexts[starts], backoff)

    def probability(self, keys: np.ndarray) -> np.ndarray:
        """p(symbol | context) of packed n-grams `[N]` with this model's order; `[N]` float64 in (0, 1]."""
        distinct, inverse = np.unique(keys, return_inverse=True)
        return self._probability(distinct)[inverse]

    def _probability(self, keys: np.ndarray) -> np.ndarray:
        result = np.empty(keys.shape[0])
        pending, weight = np.arange(keys.shape[0]), np.ones(keys.shape[0])
        for order in range(len(self._levels) - 1, -1, -1):
            level = self._levels[order]
            at, seen = _find(level.keys, keys)
            result[pending[seen]] = weight[seen] * level.probability[at[seen]]
            keys, pending, weight = keys[~seen], pending[~seen], weight[~seen]
            at, known = _find(level.contexts, keys // self._radix)
            weight[known] *= level.backoff[at[known]]
            keys = keys % self._radix**order
        result[pending] = weight / self.cardinality
        return result

    def knows_context(self, keys: np.ndarray) -> np.ndarray:
        """Whether the whole context of each packed n-gram was seen in training, `[N]` bool."""
        if not self._levels:
            return np.zeros(keys.shape[0], bool)
        return _find(self._levels[-1].contexts, keys // self._radix)[1]

    def bits(self, keys: np.ndarray) -> np.ndarray:
        """Code length of each packed n-gram's symbol, `[N]` float64 bits."""
        return -np.log2(self.probability(keys))

    def cross_entropy(self, counts: NgramCounts) -> float:
        """Mean code length over a held-out table of the same order, bits per symbol; NaN for an empty table."""
        if not len(counts):
            return float("nan")
        return float(-(counts.counts * np.log2(self._probability(counts.keys))).sum() / counts.total)


def discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken from n-grams seen once, twice, and more often: `[4]` float64 indexed by min(count, 3).

    Chen & Goodman's modified discounts from the counts of counts n1..n4; where one of those is zero (small or
    perfectly regular data) the single discount n1 / (n1 + 2 n2) of Ney, Essen & Kneser 1994 for all.
    """
    n = [int(np.count_nonzero(counts == c)) for c in (1, 2, 3, 4)]
    single = n[0] / (n[0] + 2 * n[1]) if n[0] + n[1] else 0.0
    if min(n) > 0:
        taken = [c + 1 - (c + 2) * single * n[c + 1] / n[c] for c in range(3)]
    else:
        taken = [single] * 3
    limited = [min(max(d, _DISCOUNT_FLOOR), _DISCOUNT_CEILING * (c + 1)) for c, d in enumerate(taken)]
    return np.array([0.0, *limited])


def _find(table: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of `keys` in the sorted `table`, and which of them are there."""
    at = np.searchsorted(table, keys)
    at[at == table.shape[0]] = 0
    return at, table[at] == keys
