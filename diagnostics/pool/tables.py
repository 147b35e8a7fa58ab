"""Counts of a code after one context symbol, dense, and the log-probabilities that Kneser-Ney makes of them.

Integer tables of one set of classes add and subtract exactly: what all folds counted, less one fold, is the table of
the others, and parts of a corpus that were counted apart merge to the table of the whole.
"""

from __future__ import annotations

import numpy as np

from ..ngrams.kneser_ney import discounts


def count(context: np.ndarray, codes: np.ndarray, num_contexts: int, cardinality: int) -> np.ndarray:
    """How often each code followed each context, `[num_contexts, cardinality]` int32.

    context, codes: `[F]` in [0, num_contexts) and [0, cardinality).
    """
    cells = context.astype(np.int64) * cardinality + codes
    return np.bincount(cells, minlength=num_contexts * cardinality).reshape(-1, cardinality).astype(np.int32)


def log_probabilities(counts: np.ndarray) -> np.ndarray:
    """log p(code | context) in nat, `[num_contexts, cardinality]` float32: interpolated Kneser-Ney of one symbol.

    Equal to `ngrams.kneser_ney.KneserNey` of order 1 (Chen and Goodman 1999) in every context.
    """
    cardinality = counts.shape[1]
    if not counts.any():
        return np.full(counts.shape, -np.log(cardinality), np.float32)
    preceding = np.count_nonzero(counts, axis=0)
    taken = discounts(preceding[preceding > 0])[np.minimum(preceding, 3)]
    shorter = (preceding - taken + taken.sum() / cardinality) / preceding.sum()
    taken = discounts(counts[counts > 0])[np.minimum(counts, 3)]
    total = counts.sum(1, keepdims=True)
    known = total[:, 0] > 0
    result = np.tile(np.log(shorter).astype(np.float32), (counts.shape[0], 1))
    backed = counts[known] - taken[known] + taken[known].sum(1, keepdims=True) * shorter
    result[known] = np.log(backed / total[known])
    return result
