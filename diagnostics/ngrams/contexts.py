"""Which symbols predict a code: a small portfolio per codebook, from which held-out data choose.

The code of codebook q in frame t may depend on every earlier frame and, by the chain rule within a frame, on the
codebooks above it in the same frame. Contexts are written nearest first; a model that has not seen a context drops
its last symbol and so on.
"""

from __future__ import annotations

from .counts import max_order

Context = tuple[tuple[int, int], ...]
"""(codebook, lag in frames) of each context symbol, most important first; lag 0 is the same frame."""

MAX_LAG = 3


def portfolio(codebook: int, num_codebooks: int, cardinality: int) -> tuple[Context, ...]:
    """The longest contexts worth trying for this codebook; their prefixes are tried too.

    Own past first, the codebooks above first, or the past of another codebook first: which helps differs by codec and
    by depth, so all are there. Those that look only at the past are what the gain of the chain within a frame is
    measured against. Three symbols are the most that counts of some millions of frames can fill.
    """
    q = codebook
    chains: list[Context] = [((q, 1), (q, 2), (q, 3))]
    if q + 1 < num_codebooks:
        chains.append(((q, 1), (q + 1, 1)))
        chains.append(((q + 1, 1), (q, 1)))
    if q > 0:
        chains.append(((q - 1, 1), (q, 1)))
        if q > 1:
            chains.append(((0, 1), (q, 1)))
        chains.append(tuple((above, 0) for above in range(q - 1, max(q - 4, -1), -1)))
        chains.append(((q - 1, 0), (q, 1), (q - 1, 1)))
        chains.append(((q, 1), (q - 1, 0)))
        if q > 1:
            chains.append(((0, 0), (q - 1, 0), (q, 1)))
            chains.append(((0, 0), (q, 1)))
    limit = max_order(cardinality)
    return tuple(dict.fromkeys(chain[:limit] for chain in chains))


def is_past_only(context: Context) -> bool:
    """Whether it uses nothing of the frame itself, as models do that predict all codebooks in parallel."""
    return all(lag > 0 for _, lag in context)


def describe(context: Context) -> str:
    """ "c0[t-1] c0[t-2]", or "nothing"."""
    return " ".join(f"c{q}[t-{lag}]" if lag else f"c{q}[t]" for q, lag in context) or "nothing"
