"""Microbatches of clips of about one length, each at most a padded budget of tokens."""

from __future__ import annotations

import numpy as np


def bucket_edges(shortest: int, longest: int, ratio: float) -> np.ndarray:
    """Ascending upper edges of the length buckets: each about `ratio` times the one before, in whole numbers."""
    thousandths = round(ratio * 1000)
    edges = [max(1, shortest)]
    while edges[-1] < longest:
        # whole numbers: a logarithm may differ by a bit between machines
        edges.append(min(longest, max(edges[-1] + 1, edges[-1] * thousandths // 1000)))
    return np.array(edges, np.int64)


def into_microbatches(
    tokens: np.ndarray, budget: int | None, rows: int | None, ratio: float
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Cut a sequence of draws into microbatches.

    tokens: `[m]` length of each draw. budget: most rows times longest row; rows: instead, so many draws in each.
    Returns the draws' places in the order of the full microbatches, the sizes of those, and the microbatches of what
    was left over at the end, longest first: places of each.
    A full microbatch stands where its last draw does in the sequence.
    """
    if rows is not None:
        full = len(tokens) // rows
        order = np.arange(len(tokens))
        rest = [order[full * rows :]] if len(tokens) > full * rows else []
        return order[: full * rows], rest, np.full(full, rows)
    assert budget is not None
    edges = bucket_edges(int(tokens.min(initial=1)), int(tokens.max(initial=1)), ratio)
    bucket = np.searchsorted(edges, tokens).astype(np.int32)
    by_bucket = np.argsort(bucket, kind="stable")
    counts = np.bincount(bucket, minlength=len(edges))
    starts = np.cumsum(counts) - counts
    per = np.maximum(1, budget // edges)
    full = counts // per
    # places of the draws that fill a microbatch, bucket by bucket
    ordered = bucket[by_bucket]
    within = np.arange(len(tokens)) - starts[ordered]
    filled = within < (full * per)[ordered]
    taken, rest = by_bucket[filled], by_bucket[~filled]
    sizes = np.repeat(per, full)
    ends = np.cumsum(sizes)
    # where the last draw of each stands
    emitted = np.argsort(taken[ends - 1], kind="stable") if len(ends) else np.empty(0, np.int64)
    return _gathered(taken, ends - sizes, sizes, emitted), _remainder(rest, tokens, budget), sizes[emitted]


def _gathered(taken: np.ndarray, starts: np.ndarray, sizes: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The runs of `taken` in another order."""
    new = sizes[order]
    begin = np.cumsum(new) - new
    shift = np.repeat(starts[order] - begin, new)
    return taken[np.arange(len(taken)) + shift]


def _remainder(places: np.ndarray, tokens: np.ndarray, budget: int) -> list[np.ndarray]:
    """Microbatches of what filled none of its own: from the longest bucket down, as many as fit beside the longest."""
    longest_first = places[::-1]
    found, start = [], 0
    while start < len(longest_first):
        length = int(tokens[longest_first[start]])
        end = start + 1
        # within a bucket the order is the sequence's, so a later draw may be a little longer
        while end < len(longest_first):
            length = max(length, int(tokens[longest_first[end]]))
            if length * (end - start + 1) > budget:
                break
            end += 1
        found.append(longest_first[start:end])
        start = end
    return found
