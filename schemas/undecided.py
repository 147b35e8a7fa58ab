"""Clips that a rule is unsure of, counted: how many, and what keeping or dropping them would cost."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

from pydantic import Field

from .condition import UNDECIDED, Rule
from .counted import counted
from .sql import literal
from .version import Record

_LOGISTIC = 1.702
"""exp(1.702 z) / (1 + exp(1.702 z)) is the normal distribution function within 0.01 (SQL here has no erf)."""


class Undecided(Record):
    """What one rule with a confidence leaves undecided. Hours are of audio."""

    rule: str = Field(description="The rule in one line")
    reason: str
    unsure: str = Field(description="What becomes of these clips: keep, drop or tier")
    clips: int = Field(description="Clips of which the rule is unsure, failed ones apart")
    hours: float
    open_clips: int = Field(description="Of these, the clips that nothing else drops: the choice decides on them")
    open_hours: float
    good_clips: float = Field(description="Of the open clips, how many satisfy the rule, expected by their deviations")
    good_hours: float
    curve: list[tuple[float, float, float]] = Field(
        default=[],
        description="For other confidences: the confidence, the share of clips that it leaves undecided, and how many "
        "of the others are on the right side, expected by their deviations",
    )

    @property
    def lines(self) -> tuple[str, str]:
        """What is undecided and what becomes of it; what each choice would cost."""
        done = {"keep": "kept", "drop": "dropped", "tier": f"kept in the tier {UNDECIDED!r}"}[self.unsure]
        bad, bad_hours = self.open_clips - self.good_clips, self.open_hours - self.good_hours
        apart = self.clips - self.open_clips
        also = f"; {apart:,} of them are dropped for another reason" if apart else ""
        return (
            f"{self.reason}: {counted(self.clips, 'clip')} ({_hours(self.hours)}) {'is' if self.clips == 1 else 'are'} "
            f"undecided by {self.rule}. {'It is' if self.clips == 1 else 'They are'} {done}{also}",
            f"keeping the other {self.open_clips:,} ({_hours(self.open_hours)}) keeps about {bad:,.0f} "
            f"({_hours(bad_hours)}) that break the rule; dropping them loses about {self.good_clips:,.0f} "
            f"({_hours(self.good_hours)}) that satisfy it"
            if apart
            else f"keeping them keeps about {bad:,.0f} ({_hours(bad_hours)}) that break the rule; dropping them loses "
            f"about {self.good_clips:,.0f} ({_hours(self.good_hours)}) that satisfy it",
        )


def undecided_sql(rule: Rule, verdict: str, value: str, sigma: str, others: Sequence[str], table: str) -> str:
    """SQL of one row: clips, seconds, open clips, their seconds, expected good clips, their seconds.

    verdict, value, sigma: SQL of what the rule says and of its score over `table`, which has `status`, `reasons` and
    `duration_s`; others: SQL of whether another rule of the same reason drops the clip.
    """
    alone = f"len(list_filter(coalesce(reasons, []), lambda r: r <> {literal(rule.reason)})) = 0"
    opened = " AND ".join([alone, *(f"NOT ({other})" for other in others)])
    # sums of whole numbers are the same in whatever order the rows come
    seconds, likely = "CAST(round(duration_s * 1e6) AS HUGEINT)", _likely_sql(rule, value, sigma)
    return f"""SELECT count(*), coalesce(sum(us), 0) / 1e6, count(*) FILTER (WHERE open),
            coalesce(sum(us) FILTER (WHERE open), 0) / 1e6, coalesce(sum(good) FILTER (WHERE open), 0) / 1e6,
            coalesce(sum(CAST(us * (good / 1e6) AS HUGEINT)) FILTER (WHERE open), 0) / 1e6
        FROM (SELECT {seconds} AS us, {opened} AS open, CAST(round(1e6 * {likely}) AS HUGEINT) AS good
            FROM {table} WHERE status <> 'failed' AND {verdict} = 'unsure')"""


CONFIDENCES = (0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
"""Confidences of the curve."""


def curve_sql(rule: Rule, value: str, sigma: str, table: str) -> str:
    """SQL of one row: clips with a deviation; then for a confidence of a half and each of `CONFIDENCES` the clips that
    are surer of their side of the nearest bound, and the expected number of those on the right side."""
    away = [f"abs(CAST({value} AS DOUBLE) - {b!r})" for b in (rule.min, rule.max) if b is not None]
    certain = f"least({', '.join(away)}) / greatest(CAST({sigma} AS DOUBLE), 1e-9)"
    right = f"CAST(round(1e6 / (1 + exp(-{_LOGISTIC} * least(certain, 50)))) AS HUGEINT)"
    levels = [0.0, *(NormalDist().inv_cdf(c) for c in CONFIDENCES)]
    pairs = [
        f"count(*) FILTER (WHERE certain >= {z!r}), coalesce(sum({right}) FILTER (WHERE certain >= {z!r}), 0) / 1e6"
        for z in levels
    ]
    known = f"status <> 'failed' AND {value} IS NOT NULL AND {sigma} IS NOT NULL"
    return f"SELECT count(*), {', '.join(pairs)} FROM (SELECT {certain} AS certain FROM {table} WHERE {known})"


def curve_of(row: Sequence[float]) -> list[tuple[float, float, float]]:
    """`Undecided.curve` of what `curve_sql` gave; confidences that decide on nothing are left out."""
    clips, pairs = row[0], list(zip(row[1::2], row[2::2], strict=True))
    return [
        (confidence, round(1 - float(decided) / clips, 6), round(float(right) / decided, 6))
        for confidence, (decided, right) in zip((0.5, *CONFIDENCES), pairs, strict=True)
        if decided
    ]


def undecided_row(rule: Rule, row: Sequence[float]) -> Undecided:
    """The record of what `undecided_sql` gave."""
    clips, seconds, open_clips, open_s, good, good_s = row
    return Undecided(
        rule=rule.text.partition(": ")[2],
        reason=rule.reason,
        unsure=rule.unsure,
        clips=int(clips),
        hours=round(seconds / 3600, 6),
        open_clips=int(open_clips),
        open_hours=round(open_s / 3600, 6),
        good_clips=round(float(good), 2),
        good_hours=round(good_s / 3600, 6),
    )


def _likely_sql(rule: Rule, value: str, sigma: str) -> str:
    """SQL of the probability that the true value is within the rule's bounds."""
    parts = []
    for bound, sign in ((rule.min, ""), (rule.max, "-")):
        if bound is not None:
            z = f"{sign}(CAST({value} AS DOUBLE) - {bound!r}) / greatest(CAST({sigma} AS DOUBLE), 1e-9)"
            parts.append(f"1 / (1 + exp(least(-{_LOGISTIC} * ({z}), 700)))")
    return f"greatest({' + '.join(parts)} - {len(parts) - 1}, 0)"


def _hours(hours: float) -> str:
    return f"{hours:,.2f} h" if hours >= 0.1 else f"{60 * hours:.1f} min"
