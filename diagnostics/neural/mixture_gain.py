"""What the past says about the next latent beyond its linear prediction: the gain of a mixture density network.

The network models what the linear prediction leaves, given the past, so it starts as that prediction. Its gain is over
a marginal of the same family, a mixture of Gaussians of the frame alone that is trained alike: over a Gaussian one,
whatever is not Gaussian would count as predicted. Both are trained on speakers of neither the fold that they judge nor
the next one, on which training stops. There the marginal is also a candidate: where the network is no better, the gain
of the fold is 0. The linear prediction is judged on the same frames. Neither gain is corrected for finite data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..estimates.estimate import Estimate
from ..estimates.folds import counted
from ..estimates.interval import Interval, paired_difference, ratio
from ..latents.finite_sample import ROWS_PER_COEFFICIENT
from ..latents.gaussian_predictor import GaussianPredictor
from ..latents.lag_moments import LagMoments, total
from ..latents.predictive_gain import MIN_GROUPS, RIDGE
from ..motion.clips import Clips
from .mixture_density import MixtureDensity
from .training import one_thread, train

BATCH = 512
_RATE = 2e-3
_MARGINAL_SHARE = 0.2
"""Of the time."""
_CHECK_FRAMES, _START_FRAMES = 8192, 20_000
"""To look at between steps, and to fit the mixtures on that both start from."""


@dataclass(frozen=True, slots=True)
class MixtureGain:
    """nat/frame, held out by group; all unresolved together, for the same reason."""

    gain: Estimate
    """Of the network, over the marginal of its family."""
    linear_gain: Estimate
    """Of the linear prediction, over the Gaussian marginal, on the same frames."""
    difference: Estimate
    """The first minus the second, paired."""
    num_frames: int
    folds_of_marginal: int
    """Folds in which the past did not help on validation speakers."""
    budget_s: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "gain": self.gain.to_dict(),
            "linear_gain": self.linear_gain.to_dict(),
            "difference": self.difference.to_dict(),
            "num_frames": self.num_frames,
            "folds_of_marginal": self.folds_of_marginal,
            "budget_s": self.budget_s,
        }


def mixture_gain(
    clips: Clips,
    order: int,
    budget_s: float,
    *,
    group_kind: str,
    seed: int = 0,
    max_steps: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> MixtureGain:
    """Train and judge; order: past frames.

    budget_s: seconds of training, of all folds together. The same seconds on another machine are other models; with
    max_steps per network and time enough, two runs on one machine are equal.
    """
    sums, marginal = np.zeros((3, len(clips.keys))), 0
    try:
        with one_thread(seed):
            for fold in range(clips.num_folds):
                name = f"mixture density, fold {fold + 1} of {clips.num_folds}"
                trained = _Fold(clips, order, fold, seed)
                is_better = trained.train(budget_s / clips.num_folds, max_steps, name, progress)
                marginal += not is_better
                for clip in np.flatnonzero(clips.fold == fold):
                    sums[:, clip] = trained.judge(clips.frames[clip], is_better)
    except (ValueError, np.linalg.LinAlgError) as error:
        return _unresolved(str(error), "several times as much audio", budget_s)
    gain, linear, count = sums
    groups = len({group for group, n in zip(clips.groups, count, strict=True) if n})
    if groups < MIN_GROUPS:
        few = f"{counted(groups, group_kind)} where an interval needs {MIN_GROUPS}"
        return _unresolved(few, f"audio of at least {counted(MIN_GROUPS, group_kind)}", budget_s)
    return MixtureGain(
        _estimate(ratio(gain, count, clips.groups)),
        _estimate(ratio(linear, count, clips.groups)),
        _estimate(paired_difference((gain, linear), (count, count), clips.groups)),
        int(count.sum()),
        marginal,
        budget_s,
    )


def _estimate(interval: Interval) -> Estimate:
    return Estimate.resolved(interval.value, interval.low, interval.high, "nat/frame")


def _unresolved(reason: str, remedy: str, budget_s: float) -> MixtureGain:
    nothing = Estimate.unresolved(reason, remedy, "nat/frame")
    return MixtureGain(nothing, nothing, nothing, 0, 0, budget_s)


class _Fold:
    """The models that judge the clips of one fold."""

    def __init__(self, clips: Clips, order: int, fold: int, seed: int) -> None:
        """Raises ValueError where the other speakers' frames are too few for the linear prediction."""
        validation = (fold + 1) % clips.num_folds
        lags = tuple(range(1, order + 1))
        fitting = [i for i, each in enumerate(clips.fold) if each not in (fold, validation)]
        moments = total([LagMoments.of([clips.frames[i].T], clips.dim, lags) for i in fitting] or [
            LagMoments.empty(clips.dim, lags)
        ])  # fmt: skip
        needed = ROWS_PER_COEFFICIENT * clips.dim * order
        if moments.num_rows < needed:
            raise ValueError(f"{moments.num_rows} frames of other speakers where {needed} are needed")
        self._predictor = GaussianPredictor(moments, RIDGE)
        self._order, self._rng = order, np.random.default_rng((seed, fold))
        self._weights = torch.from_numpy(self._predictor.weights.T).float()
        self._standardise = torch.from_numpy(self._predictor.standardise.T).float()
        rank = self._predictor.rank
        self._conditional, self._marginal = MixtureDensity(rank, rank * order), MixtureDensity(rank, 0)
        self._training, self._training_rows = self._rows(clips, fitting)
        self._check, rows = self._rows(clips, [i for i, each in enumerate(clips.fold) if each == validation])
        self._check_rows = rows[:: max(1, len(rows) // _CHECK_FRAMES)]
        sample = self._training_rows[:: max(1, len(self._training_rows) // _START_FRAMES)]
        frame, _, left = self._of(self._training, sample)
        self._marginal.fit(frame.double().numpy(), self._rng)
        self._conditional.fit(left.double().numpy(), self._rng)

    def _rows(self, clips: Clips, chosen: list[int]) -> tuple[torch.Tensor, np.ndarray]:
        """Whitened frames `[F, R]` of the clips one after another, and the places of those with their whole past."""
        white = [self._predictor.white(clips.frames[i].T).T for i in chosen]
        ends = np.cumsum([each.shape[0] for each in white], dtype=np.int64)
        places = [np.arange(end - each.shape[0] + self._order, end) for each, end in zip(white, ends, strict=True)]
        frames = np.concatenate(white) if white else np.zeros((0, self._predictor.rank))
        return torch.from_numpy(frames).float(), np.concatenate([*places, np.zeros(0, np.int64)])

    def _of(self, frames: torch.Tensor, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Frames at the rows, their past, and what the linear prediction leaves of them, standardised."""
        at = torch.from_numpy(rows)
        past = torch.cat([frames[at - lag] for lag in range(1, self._order + 1)], 1)
        return frames[at], past, (frames[at] - past @ self._weights) @ self._standardise

    def train(self, seconds: float, max_steps: int | None, name: str, progress: Callable[[str], None]) -> bool:
        """Whether the past helps on the validation speakers."""
        half_determinant = self._predictor.log_determinant / 2

        def conditional(frames: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
            _, past, left = self._of(frames, rows)
            return half_determinant - self._conditional.log_density(left, past).mean()

        def marginal(frames: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
            return -self._marginal.log_density(self._of(frames, rows)[0]).mean()

        best = []
        for model, nats, share in (
            (self._marginal, marginal, _MARGINAL_SHARE),
            (self._conditional, conditional, 1 - _MARGINAL_SHARE),
        ):

            def check(nats: Callable[[torch.Tensor, np.ndarray], torch.Tensor] = nats) -> float:
                with torch.no_grad():
                    return float(nats(self._check, self._check_rows))

            def say(found: float, step: int, model: MixtureDensity = model) -> None:
                which = "with the past" if model is self._conditional else "without"
                progress(f"{name}: {found:.3f} nat per frame {which}, after {step} steps")

            losses = (nats(self._training, rows) for rows in self._batches())
            best.append(train(model, losses, check, seconds=share * seconds, rate=_RATE, max_steps=max_steps, say=say))
        return best[1] < best[0]

    def _batches(self) -> Iterator[np.ndarray]:
        while len(self._training_rows):
            order = self._rng.permutation(self._training_rows)
            yield from (order[at : at + BATCH] for at in range(0, len(order), BATCH))

    def judge(self, clip: np.ndarray, is_better: bool) -> tuple[float, float, int]:
        """Gain and linear gain, summed over the frames of a clip `[T, D]` that have their past, and their number."""
        if clip.shape[0] <= self._order:
            return 0.0, 0.0, 0
        white = torch.from_numpy(self._predictor.white(clip.T).T).float()
        frame, past, left = self._of(white, np.arange(self._order, clip.shape[0]))
        determinant = self._predictor.log_determinant * frame.shape[0]
        linear = (float((frame**2).sum()) - float((left**2).sum()) - determinant) / 2
        gain = 0.0
        if is_better:
            with torch.no_grad():
                given = float(self._conditional.log_density(left, past).sum()) - determinant / 2
                gain = given - float(self._marginal.log_density(frame).sum())
        return gain, linear, frame.shape[0]
