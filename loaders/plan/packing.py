"""Packing: whole clips laid one after another into rows of a fixed number of tokens."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

WINDOW = 4096
"""Draws that are packed together: rows hold clips from near each other in the sequence."""
FULL = 0.95
"""A row that is filled less goes back among the draws of the next window."""


def pack(tokens: np.ndarray, row_tokens: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of whole clips, best fit among each window's draws, the longest first.

    tokens: `[m]` length of each draw, none above `row_tokens`.
    Returns the draws' places in the order of the rows, and how many each row holds.
    """
    order: list[int] = []
    counts: list[int] = []
    # a draw is one number: its length above, its place below, so that sorting and fitting need no second list
    coded = ((tokens.astype(np.int64) << _BITS) | np.arange(len(tokens))).tolist()
    carried: list[int] = []
    for start in range(0, len(coded), WINDOW):
        last = start + WINDOW >= len(coded)
        window = carried + coded[start : start + WINDOW]
        rows = _best_fit(window, row_tokens)
        full = rows if last else [row for row in rows if row[0] <= (1 - FULL) * row_tokens]
        if 2 * sum(map(len, full)) - 2 * len(full) < len(window):
            # a window that packs badly is not carried along for ever
            full = rows
        carried = [] if full is rows else [d for row in rows if row[0] > (1 - FULL) * row_tokens for d in row[1:]]
        # in the order of the sequence, not of length
        for places in sorted(sorted(d & _PLACE for d in row[1:]) for row in full):
            order.extend(places)
            counts.append(len(places))
    return np.array(order, np.int64), np.array(counts, np.int64)


_BITS = 40
_PLACE = (1 << _BITS) - 1


def _best_fit(window: list[int], row_tokens: int) -> list[list[int]]:
    """Each row takes the longest draw that is left, then again and again the longest that still fits.

    The first entry of a row is the room that is left in it.
    """
    left = sorted(window)
    rows = []
    while left:
        draw = left.pop()
        room = row_tokens - (draw >> _BITS)
        row = [room, draw]
        while room and left:
            at = bisect_right(left, (room << _BITS) | _PLACE)
            if not at:
                break
            draw = left.pop(at - 1)
            row.append(draw)
            room -= draw >> _BITS
        row[0] = room
        rows.append(row)
    return rows
