"""How much the past says about the next latent, in nats, held out by group.

`pred_gain` is the full-covariance marginal's code length minus that of a VAR(p), on the same frames. It does not change
under invertible linear maps of the latents, but it grows with the frame rate by oversampling alone, so it compares
representations of one frame rate only. Lagged mutual information, what a frame says about the frame tau later, compares
across rates. With Gaussian models both are the linear-Gaussian part of the information; more may be there. Both are
corrected for what finite training data cost (`finite_sample.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..estimates.estimate import Estimate
from ..estimates.folds import Folds, counted
from ..estimates.interval import ratio
from ..estimates.jobs import say_nothing
from .clip_gains import ClipGains, FoldGains, GainTable
from .effective_dimension import EffectiveDimension, effective_dimension
from .finite_sample import ROWS_PER_COEFFICIENT, Correction, correction, shortfall
from .gaussian_predictor import GaussianPredictor
from .lag_moments import LagMoments, total
from .read_out import Kept, ReadOut

Clips = Callable[[], Iterable[tuple[str, str, np.ndarray]]]
"""Starts a pass over (clip key, group, latents `[D, T]`)."""
Further = Callable[[Sequence[FoldGains]], Iterable[ClipGains]]
"""Scores clips beyond those that models are fitted on, given the models of each fold."""

TAUS_MS = (80.0, 160.0, 320.0)
RIDGE = 1e-6
"""Of the whitened variance: keeps nearly dependent pasts invertible, costs nothing that can be measured."""
MIN_GROUPS = 5


@dataclass(frozen=True, slots=True)
class Horizon:
    """Lagged mutual information at one horizon."""

    tau_ms: float
    lags: tuple[tuple[int, float], ...]
    """(frames, weight): the two lags around tau where it is no whole number of frames."""
    info: Estimate
    """nat, corrected."""
    finite_sample_bias: float
    """nat that finite training data took from the held-out value; `info` has it added."""
    nats: np.ndarray
    """`[N]` information of each clip, summed over its frames and corrected; NaN where it has none."""
    frames: np.ndarray
    """`[N]` frames behind it."""
    correction_error: float = 0.0
    """nat, half-width of what the correction may be off; it is in the interval of `info`."""


@dataclass(frozen=True, slots=True, eq=False)
class PredictiveGain:
    """Gain and information of a corpus, and the gain of each of its clips."""

    gain: Estimate
    """nat/frame, of VAR(order), corrected."""
    order: int
    """Past frames used, the most frequent choice of the validation folds."""
    ridge: float
    finite_sample_bias: float
    """nat/frame that finite training data took from the held-out gain, about D^2 p / 2n; `gain` has it added."""
    finite_sample_bias_measured: float
    """The same from how the gain grows with data; the difference is in the interval."""
    rank: int
    """Directions that carry variance."""
    by_order: tuple[tuple[int, float], ...]
    """(p, nat/frame) on the validation folds, corrected by `shortfall`: what a longer past gains."""
    horizons: tuple[Horizon, ...]
    clips: ClipGains
    """By key."""
    dimension: EffectiveDimension
    read_out: tuple[Kept, ...]
    """What the best linear read-outs of few dimensions keep of the gain."""


def default_orders(dim: int) -> tuple[int, ...]:
    """Orders tried: moments take 8 (D (p + 1))^2 bytes per fold and D^2 (p + 1)^2 operations per frame."""
    return (1, 2, 4) if dim <= 128 else (1, 2)


def measure(
    clips: Clips,
    dim: int,
    folds: Folds,
    frame_rate: float,
    *,
    group_kind: str,
    orders: tuple[int, ...] | None = None,
    taus_ms: tuple[float, ...] = TAUS_MS,
    further: Further = lambda _: (),
    say: Callable[[str], None] = say_nothing,
) -> PredictiveGain:
    """Two passes over the clips: moments per fold, then the score of each clip by the other folds' models. Gain and
    information are over these and the `further` clips; dimensions and read-outs are of these.

    Memory: the moments of every fold, 8 (2 D)^2 bytes per fold and lag for the horizons and 8 (D (p + 1))^2 per fold
    for the gain (for D = 512 and 25 Hz some 350 MB), whatever the length of the corpus. say: told which part is
    under way.
    """
    orders = orders or default_orders(dim)
    past = tuple(range(1, max(orders) + 1))
    horizons = {tau: _lags(tau, frame_rate) for tau in taus_ms}
    single = sorted({1, *(lag for lags in horizons.values() for lag, _ in lags)})
    kinds = {past, *((lag,) for lag in single)}
    moments = {kind: [LagMoments.empty(dim, kind) for _ in range(folds.num_folds)] for kind in kinds}
    say("latents: moments of the past")
    for key, group, latents in clips():
        for kind in kinds:
            moments[kind][folds.fold_of(key, group)].add(latents)

    say("latents: fitting predictions")
    models = {lag: _fit_folds(moments[(lag,)], (1,))[0] for lag in single}
    # the past of one frame and the horizon of one frame are the same moments, but different choices
    predictors, by_order = _fit_folds(moments[past], orders)
    short = correction(moments[past], predictors, RIDGE)
    reader = ReadOut(moments[past], predictors)
    short_by_lag = {lag: correction(moments[(lag,)], models[lag], RIDGE) for lag in single}

    models_of = [
        FoldGains(
            max(past),
            predictors[fold],
            _of_fold(short, fold),
            tuple(single),
            tuple(models[lag][fold] for lag in single),
            tuple(_of_fold(short_by_lag[lag], fold) for lag in single),
        )
        for fold in range(folds.num_folds)
    ]
    table = GainTable(len(single))
    say("latents: gain, information and read-outs")
    for key, group, latents in clips():
        fold = folds.fold_of(key, group)
        table.add(key, group, latents, models_of[fold])
        reader.add(fold, group, latents, max(past))
    own = table.gains()
    gains = ClipGains.joined([own, *further(models_of)])

    fitted = [p for p in predictors if p is not None]
    judge = _Judge(gains.groups, group_kind, dim, frame_rate, int(own.lengths.sum()))
    results = []
    for tau, lags in horizons.items():
        sums, counts = gains.at([single.index(lag) for lag, _ in lags], [weight for _, weight in lags])
        used = [m for lag, _ in lags for m in models[lag] if m is not None]
        # the two lags around a horizon have seen the same frames: their corrections err together
        parts = [short_by_lag[lag] for lag, _ in lags]
        corrections = [(weight, c) for (_, weight), c in zip(lags, parts, strict=True) if c is not None]
        whole = corrections if len(corrections) == len(parts) else []
        error = sum(weight * c.error for weight, c in whole) if whole else None
        info = judge.estimate(sums, counts, used, error, "nat")
        bias = float(sum(weight * c.value for weight, c in whole))
        results.append(Horizon(tau, lags, info, bias, sums, counts, error or 0.0))
    return PredictiveGain(
        judge.estimate(gains.nats, gains.frames, fitted, short.error if short else None, "nat/frame"),
        _most_common([len(p.lags) for p in fitted], orders[0]),
        RIDGE,
        short.value if short else 0.0,
        short.measured if short else 0.0,
        min((p.rank for p in fitted), default=0),
        by_order,
        tuple(results),
        gains,
        effective_dimension(moments[(1,)], models[1]),
        reader.kept(group_kind, MIN_GROUPS),
    )


def _of_fold(short: Correction | None, fold: int) -> float:
    return short.of_fold[fold] if short else 0.0


def _lags(tau_ms: float, frame_rate: float) -> tuple[tuple[int, float], ...]:
    """Whole lags around tau and their weights, for linear interpolation; no lag is shorter than a frame."""
    exact = max(tau_ms / 1000 * frame_rate, 1.0)
    below = int(exact + 1e-9)
    share = exact - below
    return ((below, 1.0),) if share < 1e-6 else ((below, 1 - share), (below + 1, share))


def _fit_folds(
    moments: list[LagMoments], orders: tuple[int, ...]
) -> tuple[list[GaussianPredictor | None], tuple[tuple[int, float], ...]]:
    """One predictor per fold, fitted on the others; order chosen on the next fold, seen by neither.

    Also the validation gain of each order, mean over folds, with its expected shortfall added: without that, the order
    would be chosen by how much data there are.
    """
    whole = total(moments)
    result: list[GaussianPredictor | None] = []
    gains: dict[int, list[float]] = {order: [] for order in orders}
    for fold, held_out in enumerate(moments):
        without = whole - held_out
        validation = moments[(fold + 1) % len(moments)]
        scores = dict.fromkeys(orders, 0.0)
        if len(orders) > 1 and validation.num_rows:
            base = without - validation
            for order in orders:
                scores[order] = _score(base.first(order), validation.first(order))
                gains[order].append(scores[order])
        result.append(_fit(without.first(max(orders, key=lambda order: scores[order]))))
    means = ((order, float(np.mean(each))) for order, each in gains.items() if each)
    return result, tuple((order, mean) for order, mean in means if np.isfinite(mean))


def _fit(moments: LagMoments) -> GaussianPredictor | None:
    try:
        return GaussianPredictor(moments, RIDGE)
    except (ValueError, np.linalg.LinAlgError):
        return None


def _score(training: LagMoments, validation: LagMoments) -> float:
    model = _fit(training)
    if model is None or training.num_rows < ROWS_PER_COEFFICIENT * training.dim * len(training.lags):
        return -np.inf
    return model.expected_gain(validation) + shortfall(training.num_rows, model.rank, len(model.lags))


def _most_common(values: list[int], default: int) -> int:
    return max(sorted(set(values)), key=values.count) if values else default


@dataclass(frozen=True, slots=True)
class _Judge:
    """Turns sums over clips into an estimate, or into the reasons why there is none."""

    groups: Sequence[str]
    """Of every clip."""
    group_kind: str
    dim: int
    frame_rate: float
    fitted_frames: int
    """Of the clips that models are fitted on."""

    def estimate(
        self,
        sums: np.ndarray,
        counts: np.ndarray,
        models: list[GaussianPredictor],
        error: float | None,
        unit: str,
    ) -> Estimate:
        """sums, counts: `[N]` per clip, in nats and frames. error: half-width of the correction, None where there was
        too little to correct."""
        used, total = np.flatnonzero(counts), int(counts.sum())
        if not used.size or not models:
            return Estimate.unresolved(
                f"{total} usable frames of {self.dim} dimensions",
                f"several times {self.dim} frames in at least {counted(MIN_GROUPS, self.group_kind)}",
                unit,
            )
        groups = [group for group, count in zip(self.groups, counts, strict=True) if count]
        interval = ratio(sums[used], counts[used], groups)
        reasons, remedies = [], []
        if interval.num_groups < MIN_GROUPS:
            reasons.append(f"{counted(interval.num_groups, self.group_kind)} where an interval needs {MIN_GROUPS}")
            remedies.append(f"audio of at least {counted(MIN_GROUPS, self.group_kind)}")
        determined = max(model.num_deterministic for model in models)
        if determined:
            reasons.append(f"{determined} directions follow exactly from the past, their gain has no bound")
            remedies.append("latents without repeated frames or constant dimensions")
        if error is None:
            # half of four of five folds has to hold the rows
            needed = 2.5 * ROWS_PER_COEFFICIENT * self.dim * max(len(m.lags) for m in models)
            reasons.append(f"{self.fitted_frames} frames for {self.dim} dimensions where {needed:.0f} are needed")
            remedies.append(f"at least {needed / self.frame_rate / 3600:.2g} h of audio in clips of many frames")
        if reasons:
            return Estimate.unresolved("; ".join(reasons), "; ".join(remedies), unit, interval.value)
        interval = interval.widened(error or 0.0)
        if interval.high < 0:
            # information is never below 0
            return Estimate.unresolved(
                f"surely below 0 ({interval.value:.3g}), as no information is: the speakers are too few or too unlike",
                f"several times the {total / self.frame_rate / 3600:.2g} h of audio, of more speakers",
                unit,
                interval.value,
            )
        return Estimate.resolved(interval.value, interval.low, interval.high, unit)
