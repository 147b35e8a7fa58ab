"""How much the past says about the next latent, in nats, held out by group.

`pred_gain` is the full-covariance marginal's code length minus that of a ridge VAR(p), on the same frames. It does
not change under invertible linear maps of the latents, but it grows with the frame rate by oversampling alone, so it
compares representations of one frame rate only. `pred_info(tau)`, what a frame says about the frame tau later,
compares across rates. With Gaussian models both are the linear-Gaussian part of the information; more may be there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ..estimates.bootstrap import ratio
from ..estimates.estimate import Estimate
from ..estimates.folds import Folds, counted
from .gaussian_predictor import GaussianPredictor
from .lag_moments import LagMoments

Clips = Callable[[], Iterable[tuple[str, str, np.ndarray]]]
"""Starts a pass over (clip key, group, latents `[D, T]`)."""

TAUS_MS = (80.0, 160.0, 320.0)
RIDGES = (0.0, 1e-4, 1e-3, 1e-2, 1e-1)
MIN_GROUPS = 5
MAX_CAPACITY = 0.1
_NEGLIGIBLE = 0.005
"""Nats per dimension and frame: the information in a correlation of 0.1."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """`pred_info` at one horizon."""

    tau_ms: float
    lags: tuple[tuple[int, float], ...]
    """(frames, weight): the two lags around tau where it is no whole number of frames."""
    info: Estimate
    """nat."""
    capacity: float
    """D^2 / 2n nats: how much the estimate is expected to fall short for want of data."""


@dataclass(frozen=True, slots=True, eq=False)
class PredictiveGain:
    """Gain and information of a corpus, and the gain of each of its clips."""

    gain: Estimate
    """nat/frame, of VAR(order)."""
    order: int
    """Past frames used, the most frequent choice of the validation folds."""
    ridge: float
    capacity: float
    """D^2 p / 2n nats per frame: how much the gain is expected to fall short for want of data."""
    rank: int
    """Directions that carry variance."""
    by_order: tuple[tuple[int, float], ...]
    """(p, nat/frame) on the validation folds, best ridge each: what a longer past gains."""
    horizons: tuple[Horizon, ...]
    nats: Mapping[str, float]
    """Summed gain of each clip that has frames with a whole past."""
    frames: Mapping[str, int]
    """Frames behind it."""


def default_orders(dim: int) -> tuple[int, ...]:
    """Orders tried: moments take 8 (D (p + 1))^2 bytes per fold and D^2 (p + 1)^2 operations per frame."""
    return (1, 2, 4) if dim <= 128 else (1, 2) if dim <= 256 else (1,)


def measure(
    clips: Clips,
    dim: int,
    folds: Folds,
    frame_rate: float,
    *,
    group_kind: str,
    orders: tuple[int, ...] | None = None,
    ridges: tuple[float, ...] = RIDGES,
    taus_ms: tuple[float, ...] = TAUS_MS,
    seed: int = 0,
) -> PredictiveGain:
    """Two passes over the clips: moments per fold, then the score of each clip by the other folds' models.

    Memory: the moments of every fold, 8 (2 D)^2 bytes per fold and lag for the horizons and 8 (D (p + 1))^2 per fold
    for the gain (for D = 512 and 25 Hz some 250 MB), whatever the length of the corpus.
    """
    orders = orders or default_orders(dim)
    past = tuple(range(1, max(orders) + 1))
    horizons = {tau: _lags(tau, frame_rate) for tau in taus_ms}
    single = sorted({lag for lags in horizons.values() for lag, _ in lags})
    kinds = {past, *((lag,) for lag in single)}
    moments = {kind: [LagMoments.empty(dim, kind) for _ in range(folds.num_folds)] for kind in kinds}
    for key, group, latents in clips():
        for kind in kinds:
            moments[kind][folds.fold_of(key, group)].add(latents)

    models = {(lag,): _fit_folds(moments[(lag,)], (1,), ridges)[0] for lag in single}
    # the past of one frame and the horizon of one frame are the same moments, but different choices
    predictors, by_order = _fit_folds(moments[past], orders, ridges)

    nats: dict[str, float] = {}
    frames: dict[str, int] = {}
    information: dict[int, dict[str, tuple[float, int]]] = {lag: {} for lag in single}
    group_of: dict[str, str] = {}
    for key, group, latents in clips():
        group_of[key] = group
        fold = folds.fold_of(key, group)
        predictor = predictors[fold]
        # every order is scored on the frames that have the longest past
        if predictor is not None and latents.shape[1] > max(past):
            scores = predictor.gain(latents[:, max(past) - max(predictor.lags) :])
            nats[key], frames[key] = float(scores.sum()), scores.shape[0]
        for lag in single:
            model = models[(lag,)][fold]
            if model is not None and latents.shape[1] > lag:
                scores = model.gain(latents)
                information[lag][key] = float(scores.sum()), scores.shape[0]

    fitted = [p for p in predictors if p is not None]
    order = _most_common([len(p.lags) for p in fitted], orders[0])
    training = sum(m.num_rows for m in moments[past]) * (1 - 1 / folds.num_folds)
    capacity = dim**2 * order / (2 * max(training, 1))
    gain = _judge(nats, frames, group_of, group_kind, fitted, capacity, dim, frame_rate, "nat/frame", seed)
    results = []
    for tau, lags in horizons.items():
        rows = min(sum(m.num_rows for m in moments[(lag,)]) for lag, _ in lags) * (1 - 1 / folds.num_folds)
        tau_capacity = dim**2 / (2 * max(rows, 1))
        sums, counts = _weighted(information, lags)
        used = [m for lag, _ in lags for m in models[(lag,)] if m is not None]
        info = _judge(sums, counts, group_of, group_kind, used, tau_capacity, dim, frame_rate, "nat", seed)
        results.append(Horizon(tau, lags, info, tau_capacity))
    return PredictiveGain(
        gain,
        order,
        float(np.median([p.ridge for p in fitted])) if fitted else ridges[0],
        capacity,
        min((p.rank for p in fitted), default=0),
        by_order,
        tuple(results),
        nats,
        frames,
    )


def _lags(tau_ms: float, frame_rate: float) -> tuple[tuple[int, float], ...]:
    """Whole lags around tau and their weights, for linear interpolation; no lag is shorter than a frame."""
    exact = max(tau_ms / 1000 * frame_rate, 1.0)
    below = int(exact + 1e-9)
    share = exact - below
    return ((below, 1.0),) if share < 1e-6 else ((below, 1 - share), (below + 1, share))


def _fit_folds(
    moments: list[LagMoments], orders: tuple[int, ...], ridges: tuple[float, ...]
) -> tuple[list[GaussianPredictor | None], tuple[tuple[int, float], ...]]:
    """One predictor per fold, fitted on the others; order and ridge chosen on the next fold, seen by neither.

    Also the validation gain of each order, mean over folds.
    """
    whole = moments[0]
    for other in moments[1:]:
        whole = whole + other
    options = [(order, ridge) for order in orders for ridge in ridges]
    result: list[GaussianPredictor | None] = []
    gains: dict[int, list[float]] = {order: [] for order in orders}
    for fold, held_out in enumerate(moments):
        without = whole - held_out
        validation = moments[(fold + 1) % len(moments)]
        scores = dict.fromkeys(options, 0.0)
        if len(options) > 1 and validation.num_rows:
            base = without - validation
            for order, ridge in options:
                scores[order, ridge] = _score(base.first(order), validation.first(order), ridge)
            for order in orders:
                gains[order].append(max(scores[order, ridge] for ridge in ridges))
        order, ridge = max(options, key=lambda option: scores[option])
        result.append(_fit(without.first(order), ridge))
    means = ((order, float(np.mean(each))) for order, each in gains.items() if each)
    return result, tuple((order, mean) for order, mean in means if np.isfinite(mean))


def _fit(moments: LagMoments, ridge: float) -> GaussianPredictor | None:
    try:
        return GaussianPredictor(moments, ridge)
    except (ValueError, np.linalg.LinAlgError):
        return None


def _score(training: LagMoments, validation: LagMoments, ridge: float) -> float:
    model = _fit(training, ridge)
    return model.expected_gain(validation) if model is not None else -np.inf


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


def _judge(
    sums: Mapping[str, float],
    counts: Mapping[str, int],
    group_of: Mapping[str, str],
    group_kind: str,
    models: list[GaussianPredictor],
    capacity: float,
    dim: int,
    frame_rate: float,
    unit: str,
    seed: int,
) -> Estimate:
    keys = sorted(sums)
    total = sum(counts.values())
    hours = total / frame_rate / 3600
    if not keys or not models:
        return Estimate.unresolved(
            f"{total} usable frames of {dim} dimensions",
            f"several times {dim} frames in at least {counted(MIN_GROUPS, group_kind)}",
            unit,
        )
    interval = ratio(
        np.array([sums[k] for k in keys]), np.array([counts[k] for k in keys]), [group_of[k] for k in keys], seed=seed
    )
    reasons, remedies = [], []
    if interval.num_groups < MIN_GROUPS:
        reasons.append(f"{counted(interval.num_groups, group_kind)} where an interval needs {MIN_GROUPS}")
        remedies.append(f"audio of at least {counted(MIN_GROUPS, group_kind)}")
    determined = max(model.num_deterministic for model in models)
    if determined:
        reasons.append(f"{determined} directions follow exactly from the past, their gain has no bound")
        remedies.append("latents without repeated frames or constant dimensions")
    if capacity > max(MAX_CAPACITY * interval.value, _NEGLIGIBLE * dim):
        enough = hours * capacity / max(MAX_CAPACITY * interval.value, _NEGLIGIBLE * dim)
        reasons.append(
            f"{total} frames for {dim} dimensions cost {capacity:.2g} nat of {max(interval.value, 0):.3g} in fitting"
        )
        remedies.append(f"about {enough:.2g} h of audio where there are {hours:.2g} h")
    if reasons:
        return Estimate.unresolved("; ".join(reasons), "; ".join(remedies), unit, interval.value)
    return Estimate.resolved(interval.value, interval.low, interval.high, unit)
