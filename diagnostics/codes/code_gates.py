"""Whether a code rate is reliable: the conditions under which it is "unresolved" instead."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from ..estimates.estimate import Estimate
from ..estimates.folds import counted
from ..estimates.interval import ratio
from ..ngrams.code_store import CodeStore
from .codebook_rate import CodebookRate
from .members import MixedMembers

MIN_GROUPS = 5
MIN_FRAMES_PER_ENTRY = 50
"""With fewer frames no dependence of an entry on the one before could show, and no other condition would notice."""
MAX_MISSING_MASS = 0.2
MAX_WITHIN = 0.1
"""Of the rate: a bound of which more than this is in question is not quoted."""
MIN_EXPONENT = 0.5
"""Of a fall with more data: slower ones have no end in sight."""


@dataclass(frozen=True, slots=True)
class Within:
    """How far the bound may still be off, as shares of the rate: what is seen to lower it when models get more."""

    more_data: float
    """What ten times the training data would take off the cheapest member that is counted, falling on as it fell."""
    other_models: float
    """What mixing the members takes off the best of them: models of other kinds know what it does not."""
    longer_contexts: float
    """What longer contexts would save if they were seen everywhere as they are in places; see `ExtrapolatedGain`."""

    @property
    def total(self) -> float:
        """The three together."""
        return self.more_data + self.other_models + self.longer_contexts

    def to_dict(self) -> dict[str, float]:
        """JSON-able."""
        return asdict(self) | {"total": self.total}


def fall_per_doubling(rates: np.ndarray) -> float:
    """As a share of the rate; rates: `[3]` bit/s from a quarter, a half and all of the training frames."""
    return max(float((rates[1] - rates[2]) / rates[2]), 0.0) if rates[2] > 0 else 0.0


def fall_at_ten_times(rates: np.ndarray, exponent: float | None) -> float:
    """The same at ten times the data, on the curve n ** -exponent through the last two rates.

    The sum of the next log2 10 doublings, each 2 ** -exponent times the one before. Where the fall gets steeper, every
    doubling is taken to save what the last one did.
    """
    b = max(exponent or 0.0, 0.0)
    doublings = (1 - 10**-b) / (2**b - 1) if b > 1e-6 else float(np.log2(10))
    return fall_per_doubling(rates) * doublings


def how_far_off(
    books: list[CodebookRate], rates: np.ndarray, exponent: float | None, portfolio: MixedMembers | None
) -> Within:
    """rates: `[3]` bit/s from a quarter, a half and all of the training frames. exponent: of their fall."""
    saved = portfolio.saved / portfolio.mixed if portfolio is not None and portfolio.mixed > 0 else 0.0
    total = sum(book.bits for book in books)
    longer = sum(book.extrapolated_gain_bits for book in books) / total if total else 0.0
    return Within(fall_at_ten_times(rates, exponent), max(saved, 0.0), longer)


def judge(
    store: CodeStore,
    group_kind: str,
    books: list[CodebookRate],
    bits: np.ndarray,
    off: Within,
    counted_share: float,
    rates: np.ndarray,
    exponent: float | None,
    trained: float,
    frame_rate: float,
) -> Estimate:
    """The rate with its interval, or every reason against it.

    bits: `[N]` per clip. counted_share: weight of the n-gram counts in the mixture. exponent: of the fall with more
    than the `trained` frames.
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
    more = "a longer corpus, or a neural model that shares between contexts"
    mass = counted_share * sum(book.missing_mass * book.bits for book in books) / total if total else 0.0
    if mass > MAX_MISSING_MASS:
        reasons.append(f"{mass:.0%} of the n-gram mass is missing")
        remedies.append(more)
    if off.total > MAX_WITHIN:
        parts = off.more_data, off.other_models, off.longer_contexts
        fall, mixing, longer = (share > MAX_WITHIN / 5 for share in parts)
        if fall:
            pace = f", n^-{exponent:.2g}" if exponent is not None and exponent > 0 else ""
            last = fall_per_doubling(rates)
            reasons.append(f"falls {last:.1%} per doubling of data{pace}, {off.more_data:.0%} at ten times as many")
            remedies.append(_hours_that_help(off.more_data, exponent, trained / frame_rate / 3600))
        if mixing:
            reasons.append(f"its models know different things: mixing them saves {off.other_models:.1%}")
            remedies.append(more)
        if longer:
            worst = max(books, key=lambda book: book.extrapolated_gain_bits)
            seen = f"{worst.extrapolated_gain_context} was seen for {worst.extrapolated_gain_coverage:.0%} of the codes"
            reasons.append(f"longer contexts, seen everywhere, would save about {off.longer_contexts:.0%} ({seen})")
            remedies.append(more)
    if reasons:
        return Estimate.unresolved(
            "; ".join(reasons), "; ".join(dict.fromkeys(remedies)), "bit/s", interval.value, "<="
        )
    return Estimate.resolved(interval.value, interval.low, interval.high, "bit/s", "<=")


def _hours_that_help(fall: float, exponent: float | None, hours: float) -> str:
    """fall: at ten times the data. hours: that were trained on."""
    if exponent is None or exponent < MIN_EXPONENT:
        return f"more than the {hours:.2g} h that were trained on, the fall does not tell how much"
    enough = hours * (fall / MAX_WITHIN) ** (1 / exponent)
    return f"about {enough:.2g} h to train on where {hours:.2g} h were used"
