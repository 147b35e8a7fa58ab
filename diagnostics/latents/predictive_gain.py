"""How much the past says about the next latent, in nats, held out by group.

`pred_gain` is the full-covariance marginal's code length minus that of a VAR(p), on the same frames. It does not change
under invertible linear maps of the latents, but it grows with the frame rate by oversampling alone, so it compares
representations of one frame rate only. Lagged mutual information, what a frame says about the frame tau later, compares
across rates. With Gaussian models both are the linear-Gaussian part of the information; more may be there. Both are
corrected for what finite training data cost (`finite_sample.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..estimates.estimate import Estimate
from ..estimates.folds import Folds, counted
from ..estimates.interval import ratio
from ..estimates.jobs import say_nothing
from .effective_dimension import EffectiveDimension, effective_dimension
from .finite_sample import ROWS_PER_COEFFICIENT, Correction, correction, shortfall
from .gaussian_predictor import GaussianPredictor
from .lag_moments import LagMoments, total
from .read_out import Kept, ReadOut

Clips = Callable[[], Iterable[tuple[str, str, np.ndarray]]]
"""Starts a pass over (clip key, group, latents `[D, T]`)."""

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
    nats: Mapping[str, float]
    """Summed information of each clip, corrected."""
    frames: Mapping[str, int]
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
    nats: Mapping[str, float]
    """Summed gain of each clip that has frames with a whole past, corrected."""
    frames: Mapping[str, int]
    """Frames behind it."""
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
    say: Callable[[str], None] = say_nothing,
) -> PredictiveGain:
    """Two passes over the clips: moments per fold, then the score of each clip by the other folds' models.

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

    nats: dict[str, float] = {}
    frames: dict[str, int] = {}
    information: dict[int, dict[str, tuple[float, int]]] = {lag: {} for lag in single}
    group_of: dict[str, str] = {}
    say("latents: gain, information and read-outs")
    for key, group, latents in clips():
        group_of[key] = group
        fold = folds.fold_of(key, group)
        predictor = predictors[fold]
        # every order is scored on the frames that have the longest past
        if predictor is not None and latents.shape[1] > max(past):
            scores = predictor.gain(latents[:, max(past) - max(predictor.lags) :])
            nats[key], frames[key] = _corrected(scores, short, fold), scores.shape[0]
        reader.add(fold, group, latents, max(past))
        for lag in single:
            model = models[lag][fold]
            if model is not None and latents.shape[1] > lag:
                scores = model.gain(latents)
                information[lag][key] = _corrected(scores, short_by_lag[lag], fold), scores.shape[0]

    fitted = [p for p in predictors if p is not None]
    judge = _Judge(group_of, group_kind, dim, frame_rate)
    results = []
    for tau, lags in horizons.items():
        sums, counts = _weighted(information, lags)
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
        judge.estimate(nats, frames, fitted, short.error if short else None, "nat/frame"),
        _most_common([len(p.lags) for p in fitted], orders[0]),
        RIDGE,
        short.value if short else 0.0,
        short.measured if short else 0.0,
        min((p.rank for p in fitted), default=0),
        by_order,
        tuple(results),
        nats,
        frames,
        effective_dimension(moments[(1,)], models[1]),
        reader.kept(group_kind, MIN_GROUPS),
    )


def _corrected(scores: np.ndarray, short: Correction | None, fold: int) -> float:
    return float(scores.sum()) + (short.of_fold[fold] * scores.shape[0] if short else 0.0)


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


def _weighted(
    information: Mapping[int, Mapping[str, tuple[float, int]]], lags: tuple[tuple[int, float], ...]
) -> tuple[dict[str, float], dict[str, int]]:
    """Per clip sums and frames at a horizon; between two lags both are means, over clips that have both."""
    keys = set.intersection(*(set(information[lag]) for lag, _ in lags))
    counts = {key: information[lags[-1][0]][key][1] for key in sorted(keys)}
    sums = {
        key: sum(weight * information[lag][key][0] / information[lag][key][1] for lag, weight in lags) * count
        for key, count in counts.items()
    }
    return sums, counts


def _most_common(values: list[int], default: int) -> int:
    return max(sorted(set(values)), key=values.count) if values else default


@dataclass(frozen=True, slots=True)
class _Judge:
    """Turns sums over clips into an estimate, or into the reasons why there is none."""

    group_of: Mapping[str, str]
    group_kind: str
    dim: int
    frame_rate: float

    def estimate(
        self,
        sums: Mapping[str, float],
        counts: Mapping[str, int],
        models: list[GaussianPredictor],
        error: float | None,
        unit: str,
    ) -> Estimate:
        """error: half-width of the correction, None where there was too little to correct."""
        keys, total = sorted(sums), sum(counts.values())
        if not keys or not models:
            return Estimate.unresolved(
                f"{total} usable frames of {self.dim} dimensions",
                f"several times {self.dim} frames in at least {counted(MIN_GROUPS, self.group_kind)}",
                unit,
            )
        interval = ratio(
            np.array([sums[k] for k in keys]), np.array([counts[k] for k in keys]), [self.group_of[k] for k in keys]
        )
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
            reasons.append(f"{total} frames for {self.dim} dimensions where {needed:.0f} are needed")
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
