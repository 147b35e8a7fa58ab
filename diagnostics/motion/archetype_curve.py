"""How tightly steps cluster around K archetypes, beyond what the same frames in random order do.

The archetypes are the centres of spherical k-means of the steps' directions. Tightness, the mean cosine of a direction
to its nearest centre, rises with K and falls with the dimension whatever the directions are (`latents.archetypes`), so
what counts is the excess over two nulls that are clustered alike. One is the same clips with their frames shuffled in
time: over it only what has to do with time counts. Where a clip is short for how slowly it moves, its shuffled frames
are a lopsided sample, which lowers that null a little. The other is directions without any structure, which it takes to
speak of archetypes at all. Clips are paired, so the nulls' sampling errors are in the intervals, and so is how far the
fits scatter.

*Transfer.* Speakers are split into two halves, and the clips of each speaker into two parts. Centres are fitted on each
of the four. A clip is judged by centres of the other half, which have not heard its speaker (that is its tightness),
and by centres of its own half's other part, which have. The difference, unseen minus seen, is 0 where archetypes are
shared by all speakers, and below 0 where each speaker has some of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from ..estimates.folds import make_folds
from ..estimates.interval import Interval, paired_difference, ratio
from ..latents.archetypes import assign, spherical_kmeans
from .clips import Clips
from .steps import Steps

SIZES = (32, 64, 128, 256, 512)
STEPS_PER_ARCHETYPE = 4
"""Where the smallest quarter has fewer steps than this times K, K is left out."""
ITERATIONS = 8
"""Of k-means; the tightness of held-out steps has settled by then."""
_FIT_QUANTILE = float(stdtrit(4, 0.975))
"""Two halves of the steps and of the null: four differences tell how far fits scatter."""


@dataclass(frozen=True, slots=True)
class Tightness:
    """Of K archetypes; cosines, intervals over groups."""

    num_archetypes: int
    tightness: Interval
    """By centres that did not hear the speaker."""
    shuffled: float
    """That of the same clips, frames shuffled in time."""
    excess: Interval
    """tightness - shuffled."""
    uniform: float
    """That of uniform directions, as many in as many dimensions."""
    uniform_excess: Interval
    """tightness - uniform."""
    transfer: Interval
    """Tightness by centres of other speakers minus that by centres that heard the speaker, over speakers of several
    clips; without groups where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Quarters:
    """Halves by speaker, parts by clip of each speaker."""

    quarter: np.ndarray
    """`[C]` 2 * half + part."""
    is_heard: np.ndarray
    """`[C]` whether the clip's speaker is in both parts of its half."""

    @classmethod
    def of(cls, clips: Clips) -> Quarters:
        """Halves of about equal frames; clips of a speaker take turns in the order of their keys."""
        frames: dict[str, float] = {}
        for group, each in zip(clips.groups, clips.frames, strict=True):
            frames[group] = frames.get(group, 0.0) + each.shape[0]
        halves = make_folds(frames, group_kind="group", num_folds=2)
        # speakers begin with either part, so that single clips spread over both
        turn = {group: i // 2 % 2 for i, group in enumerate(sorted(frames))}
        count, quarter = dict.fromkeys(frames, 0), []
        for group in clips.groups:
            quarter.append(2 * halves.of[group] + turn[group])
            turn[group], count[group] = 1 - turn[group], count[group] + 1
        return cls(np.array(quarter), np.array([count[group] > 1 for group in clips.groups]))

    def sizes(self, *steps: Steps) -> tuple[int, ...]:
        """The K that all of these steps are enough for."""
        least = min(np.bincount(self.quarter[each.clip], minlength=4).min() for each in steps)
        return tuple(size for size in SIZES if least >= STEPS_PER_ARCHETYPE * size)


@dataclass(frozen=True, slots=True, eq=False)
class Clustered:
    """Centres of every quarter, and cosines of steps `[N]` to those of quarters that do not have their clip."""

    clip: np.ndarray
    """`[N]` of each step."""
    centers: np.ndarray
    """`[4, K, R]`"""
    unseen: np.ndarray
    """Cosine to the nearest centre, mean over the two quarters that did not hear the speaker."""
    seen: np.ndarray
    """By the quarter that heard the speaker in other clips."""
    fit_variance: float
    """Of the mean of `unseen`, for the centres it happened to be judged by."""

    @classmethod
    def of(cls, steps: Steps, quarters: Quarters, size: int, seed: int) -> Clustered:
        """Costs N * size * R operations for each of `ITERATIONS`."""
        rng, quarter = np.random.default_rng(seed), quarters.quarter[steps.clip]
        centers, (unseen, other, seen) = [], np.zeros((3, quarter.shape[0]))
        for fitted in range(4):
            found = spherical_kmeans(steps.direction[quarter == fitted], size, rng, iterations=ITERATIONS)
            centers.append(found)
            for judged, into in ((fitted ^ 1, seen), (fitted ^ 2, unseen), (fitted ^ 3, other)):
                rows = quarter == judged
                into[rows] = assign(steps.direction[rows], found)[1]
        # by the quarter that was fitted, not by the one that was judged
        difference = (unseen - other) * (1 - 2 * (quarter % 2))
        variance = _fit_variance(difference, quarter // 2)
        return cls(steps.clip, np.stack(centers), (unseen + other) / 2, seen, variance)

    def label(self, steps: Steps, quarters: Quarters) -> np.ndarray:
        """`[N]` nearest centre of steps, of one quarter that did not hear the speaker, the same for a whole clip."""
        quarter, label = quarters.quarter[steps.clip], np.zeros(steps.clip.shape[0], np.int64)
        for judged in range(4):
            rows = quarter == judged
            label[rows] = assign(steps.direction[rows], self.centers[judged ^ 3])[0]
        return label


def _fit_variance(difference: np.ndarray, half: np.ndarray) -> float:
    """Two sets of centres judge the same steps: they differ by twice the variance of one. Four make up the mean."""
    means = [difference[half == each].mean() for each in (0, 1)]
    return float(np.mean(np.square(means))) / 2 / 4


def tightness(
    found: Clustered, shuffled: Clustered, uniform: Clustered, quarters: Quarters, groups: list[str]
) -> Tightness:
    """Of steps beside those of shuffled frames and uniform ones; groups: of every clip.

    No two steps share a frame (`Steps.apart`). In random order such steps turn back on each other, which leaves fewer
    independent ones to fit centres on, and would look like an excess.
    """

    def sums(scored: Clustered, values: np.ndarray) -> np.ndarray:
        return np.bincount(scored.clip, values, len(groups))

    def of(scored: Clustered) -> tuple[np.ndarray, np.ndarray]:
        return sums(scored, scored.unseen), sums(scored, np.ones_like(scored.unseen))

    def over(null: Clustered) -> tuple[float, Interval]:
        nothing, of_null = of(null)
        by_chance = float(np.sqrt(found.fit_variance + null.fit_variance))
        excess = paired_difference((cosine, nothing), (count, of_null), groups)
        return float(nothing.sum() / of_null.sum()), excess.widened(_FIT_QUANTILE * by_chance)

    cosine, count = of(found)
    heard = np.where(quarters.is_heard, count, 0.0)
    lost = np.where(quarters.is_heard, cosine - sums(found, found.seen), 0.0)
    size = found.centers.shape[1]
    return Tightness(size, ratio(cosine, count, groups), *over(shuffled), *over(uniform), ratio(lost, heard, groups))
