"""Whether a code rate is reliable: the conditions under which it is "unresolved" instead."""

from __future__ import annotations

import numpy as np

from ..estimates.estimate import Estimate
from ..estimates.folds import counted
from ..estimates.interval import ratio
from .code_store import CodeStore
from .codebook_rate import CodebookRate

MIN_GROUPS = 5
MIN_FRAMES_PER_ENTRY = 50
"""With fewer frames no dependence of an entry on the one before could show, and no other condition would notice."""
MAX_MISSING_MASS = 0.2
MAX_FALL = 0.02
MAX_SLOW_FALL = 0.005
MIN_EXPONENT = 0.5
MAX_EXTRAPOLATED_GAIN = 0.05


def judge(
    store: CodeStore,
    group_kind: str,
    books: list[CodebookRate],
    bits: np.ndarray,
    rates: np.ndarray,
    exponent: float | None,
    trained: float,
    frame_rate: float,
) -> Estimate:
    """The rate with its interval, or every reason against it.

    bits: `[N]` per clip. rates: `[3]` bit/s from a quarter, a half and all of the `trained` frames, and `exponent`
    that of their fall.
    """
    seconds = store.lengths / frame_rate
    interval = ratio(bits, seconds, store.groups)
    hours = seconds.sum() / 3600
    total = sum(book.bits for book in books)
    reasons, remedies = [], []
    if interval.num_groups < MIN_GROUPS:
        reasons.append(f"{counted(interval.num_groups, group_kind)} where an interval needs {MIN_GROUPS}")
        remedies.append(f"audio of at least {counted(MIN_GROUPS, group_kind)}")
    needed = MIN_FRAMES_PER_ENTRY * store.cardinality / frame_rate / 3600
    if hours < needed:
        reasons.append(f"{store.lengths.sum() / store.cardinality:.2g} frames per codebook entry")
        remedies.append(f"at least {needed:.2g} h of audio")
    fall = float((rates[1] - rates[2]) / rates[2]) if rates[2] > 0 else 0.0
    slow = exponent is not None and exponent < MIN_EXPONENT
    if fall > MAX_FALL or (slow and fall > MAX_SLOW_FALL):
        pace = f", n^-{exponent:.2g}" if exponent is not None and exponent > 0 else ""
        reasons.append(f"falls {fall:.1%} per doubling of data{pace}")
        used = trained / frame_rate / 3600
        if exponent is not None and not slow:
            enough = used * (fall / MAX_FALL) ** (1 / exponent)
            remedies.append(f"about {enough:.2g} h to train on where {used:.2g} h were used")
        else:
            remedies.append(f"more than the {used:.2g} h that were trained on, the fall does not tell how much")
    more = "a longer corpus, or a neural model that shares between contexts"
    mass = sum(book.missing_mass * book.bits for book in books) / total if total else 0.0
    if mass > MAX_MISSING_MASS:
        reasons.append(f"{mass:.0%} of the n-gram mass is missing")
        remedies.append(more)
    extrapolated = sum(book.extrapolated_gain_bits for book in books) / total if total else 0.0
    if extrapolated > MAX_EXTRAPOLATED_GAIN:
        worst = max(books, key=lambda book: book.extrapolated_gain_bits)
        covers = f"{worst.extrapolated_gain_context} was seen for {worst.extrapolated_gain_coverage:.0%} of the codes"
        reasons.append(f"longer contexts, seen everywhere, would save about {extrapolated:.0%} ({covers})")
        remedies.append(more)
    if reasons:
        return Estimate.unresolved(
            "; ".join(reasons), "; ".join(dict.fromkeys(remedies)), "bit/s", interval.value, "<="
        )
    return Estimate.resolved(interval.value, interval.low, interval.high, "bit/s", "<=")
