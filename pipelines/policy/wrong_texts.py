"""What share of the texts of a source is wrong, estimated from the corpus itself.

A trust is a probability for a corpus in which half of the texts are wrong. The likelihood of a share is a mixture of
two densities whose ratio the trust gives, so the share can be estimated without a single label: by maximum likelihood,
as the iteration of Saerens, Latinne and Decaestecker (2002) finds it. Here its posterior mean is taken, on a grid. Of
three sources and more, one with few clips is drawn to the others, the more the more alike they are (empirical Bayes:
the prior that makes the trusts of all sources likeliest); of fewer, to a half.

A function of the live set alone, and of counts, so that the order of clips changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...schemas.condition import Condition
from ...schemas.config import RunConfig
from ...schemas.score import Curator
from ...schemas.sql import quoted
from ...schemas.version import WrongTexts
from ..tables.declarations import known
from ..tables.state import State

BINS = 400
"""Trusts are counted in so many bins of equal width in log odds."""
MOST_LOGIT = 6.0
"""No single clip counts for more than these log odds: a trust is not that sure of itself on speech unlike training."""
FEW_SOURCES, FEW_CLIPS = 3, 4.0
"""With fewer sources than this the prior is a half, and counts as so many clips."""
PRIOR_SHARES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
PRIOR_CLIPS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Priors among which the sources choose: a share, and how many clips it counts as."""
STEP_LOGIT = 0.25
"""Bounds follow the share in steps of so many log odds, so that a few new clips do not move clips across a bound."""
_GRID = np.sin(np.linspace(0, np.pi / 2, 1001)[1:-1]) ** 2
"""Shares, denser at the ends; equal steps of the angle, whose density is that of Beta(1/2, 1/2)."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share of wrong texts with its 95 % interval."""

    mean: float
    low: float
    high: float


def estimate(counts: np.ndarray, prior_share: float, prior_clips: float) -> Share:
    """Share of wrong texts from clips by trust.

    counts: `[BINS]` clips by the log odds of their trust, from -MOST_LOGIT to MOST_LOGIT. The prior is
    Beta(prior_clips * prior_share, prior_clips * (1 - prior_share)).
    """
    log = _likelihood(counts) + _log_prior(prior_share, prior_clips)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    along = np.cumsum(weight)
    low, high = (float(_GRID[min(int(np.searchsorted(along, q)), _GRID.size - 1)]) for q in (0.025, 0.975))
    return Share(float(weight @ _GRID), low, high)


def estimate_each(counts: Mapping[str, np.ndarray]) -> dict[str, Share]:
    """`estimate` for every source, from a prior that all of them choose."""
    chosen = (0.5, FEW_CLIPS)
    if len(counts) >= FEW_SOURCES:
        logs = np.array([_likelihood(own) for own in counts.values()])
        likelihoods = np.exp(logs - logs.max(axis=1, keepdims=True))
        priors = [(share, clips) for share in PRIOR_SHARES for clips in PRIOR_CLIPS]
        weights = np.exp([_log_prior(*prior) for prior in priors])
        evidence = np.log(np.maximum(likelihoods @ weights.T, 1e-300)).sum(axis=0)
        chosen = priors[int(np.argmax(evidence))]
    return {source: estimate(own, *chosen) for source, own in counts.items()}


def _likelihood(counts: np.ndarray) -> np.ndarray:
    """Log likelihood of every share of `_GRID`, over that of a half."""
    logits = (np.arange(BINS) + 0.5) / BINS * 2 * MOST_LOGIT - MOST_LOGIT
    right = 1 / (1 + np.exp(-logits))
    seen = counts > 0
    density = np.log(2 * (_GRID[:, None] * (1 - right[seen]) + (1 - _GRID[:, None]) * right[seen]))
    return density @ counts[seen]


def _log_prior(share: float, clips: float) -> np.ndarray:
    """Log weights of the shares of `_GRID` by Beta(clips * share, clips * (1 - share)), which sum to 1."""
    log = (clips * share - 0.5) * np.log(_GRID) + (clips * (1 - share) - 0.5) * np.log1p(-_GRID)
    return log - log.max() - float(np.log(np.exp(log - log.max()).sum()))


def stepped(share: float) -> float:
    """The share that bounds use: rounded to a grid of log odds."""
    logit = np.log(share) - np.log1p(-share)
    return float(1 / (1 + np.exp(-np.round(logit / STEP_LOGIT) * STEP_LOGIT)))


def wrong_texts(state: State, config: RunConfig, curators: Sequence[Curator]) -> dict[str, dict[str, WrongTexts]]:
    """Score -> source -> share of wrong texts, of scores that a condition wants it for."""
    conditions: list[Condition] = [*config.keep, *(c for tier in config.tiers for c in tier.when)]
    wanted = {c.score for c in conditions if c.wrong_share is None and (c.min is not None or c.max is not None)}
    return {
        column.name: _of_sources(state, curator.name, column.name)
        for curator in curators
        for column in curator.columns
        if column.even_odds and column.name in wanted
    }


def _of_sources(state: State, curator: str, score: str) -> dict[str, WrongTexts]:
    trust, edge = f"CAST(v.val.{quoted(score)} AS DOUBLE)", float(1 / (1 + np.exp(MOST_LOGIT)))
    bounded = f"least(greatest({trust}, {edge!r}), {1 - edge!r})"
    place = f"floor((ln({bounded} / (1 - {bounded})) + {MOST_LOGIT}) / {2 * MOST_LOGIT / BINS})"
    rows = state.sql(
        f"""SELECT n.source, CAST(least(greatest({place}, 0), {BINS - 1}) AS INTEGER) AS place, count(*)
        FROM {quoted(known(curator))} v JOIN clips_now n USING (clip)
        WHERE v.val.{quoted(score)} IS NOT NULL AND NOT isnan({trust}) GROUP BY 1, 2 ORDER BY 1, 2"""
    ).fetchall()
    counts: dict[str, np.ndarray] = {}
    for source, at, clips in rows:
        counts.setdefault(source, np.zeros(BINS))[at] += clips
    found = estimate_each(counts)
    return {
        source: WrongTexts(
            clips=int(counts[source].sum()),
            share=round(share.mean, 4),
            low=round(share.low, 4),
            high=round(share.high, 4),
            used=round(stepped(share.mean), 6),
        )
        for source, share in found.items()
    }
