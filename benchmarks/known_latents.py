"""Gaussian processes of known gain and information, and what must not change either."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from known_rows import SEEDS, Row, codes, holds, latents

from auricle.diagnostics.known.processes import (
    VectorAutoregression,
    ornstein_uhlenbeck,
    ornstein_uhlenbeck_information,
)
from auricle.diagnostics.known.sources import SparseMarkov
from auricle.diagnostics.latents.finite_sample import shortfall
from auricle.diagnostics.latents.gaussian_predictor import GaussianPredictor
from auricle.diagnostics.latents.lag_moments import LagMoments


def autoregressions(large: bool) -> Iterator[Row]:
    """Predictive gain against the oracle's on the same frames."""
    process = VectorAutoregression.random(128, 0.95, seed=0)
    data = process.sample(3200, 125, seed=1)
    oracle = np.mean([process.oracle_gain(clip).mean() for clip in data])
    result = latents(data, 12.5, orders=(1,))
    error = (result.pred_gain.computed or 0) / oracle - 1
    yield Row("VAR(1), D = 128, 4e5 frames: gain, paired", f"{error:+.3%}", "within 0.1%", bool(abs(error) <= 0.001))
    wide = VectorAutoregression.random(512, 0.95, seed=0)
    for hours, gate in ((1, 0.01), (5, 0.002)) if large else ((1, 0.01),):
        moments, clips = LagMoments.empty(512, (1,)), round(hours * 360)
        for seed in range(hours):
            for clip in wide.sample(360, 125, seed=seed + 1):
                moments.add(clip)
        model = GaussianPredictor(moments, ridge=0.0)
        test = wide.sample(72, 125, seed=99)
        found = np.array([model.gain(clip).mean() for clip in test])
        oracle = np.array([wide.oracle_gain(clip).mean() for clip in test])
        bias, theory = (found - oracle).mean(), -shortfall(moments.num_rows, 512, 1)
        good = abs(bias / oracle.mean()) <= gate and abs(bias / theory - 1) <= 0.05
        yield Row(
            f"VAR(1), D = 512, {hours} h at 12.5 Hz ({clips} clips): gain before it is corrected, paired",
            f"{bias / oracle.mean():+.2%}, {bias / theory:.2f} of what is corrected",
            f"within {gate:.1%}, 0.95 to 1.05",
            good,
        )
    yield from _noise_dimensions()


def _noise_dimensions() -> Iterator[Row]:
    """The same 8 dimensions of information among more and more of noise: 1.5 h at 12.5 Hz."""
    truth = ornstein_uhlenbeck_information(8, 0.15, 0.08)
    for dim in (8, 64, 128, 512):
        values, inside = [], 0
        for seed in range(SEEDS):
            process = ornstein_uhlenbeck(8, 0.15, 12.5, 540, 10, seed)
            noise = np.random.default_rng(seed + 50).normal(size=(540, dim - 8, process.shape[2]))
            result = latents(np.concatenate((process, noise), axis=1), 12.5, orders=(1,))
            info = result.lagged_mutual_information[0].info
            values.append(info.value or np.nan)
            inside += info.low is not None and info.high is not None and info.low <= truth <= info.high
        worst = max(abs(v / truth - 1) for v in values)
        gate = 0.03 if dim < 512 else 0.1
        yield Row(
            f"8 dimensions of information among {dim}, 1.5 h: at 80 ms, truth {truth:.3f} nat",
            f"mean {np.mean(values):.3f}, worst of {SEEDS} {worst:.1%} off, in the interval {inside} of {SEEDS}",
            f"mean within 2%, worst within {gate:.0%}, >= {SEEDS - 1}",
            bool(abs(np.mean(values) / truth - 1) <= 0.02 and worst <= gate and inside >= SEEDS - 1),
        )


def invariances(large: bool) -> Iterator[Row]:
    """Linear maps, frame rates, nothing to find."""
    data = VectorAutoregression.random(16, 0.95, seed=0).sample(400, 125, seed=1)
    rng = np.random.default_rng(2)
    left, right = (np.linalg.qr(rng.normal(size=(16, 16)))[0] for _ in range(2))
    mapped = np.einsum("ij,njt->nit", left @ np.diag(np.geomspace(1, 66, 16)) @ right, data)
    plain, other = latents(data, 12.5), latents(mapped, 12.5)
    assert plain.pred_gain.value is not None
    assert other.pred_gain.value is not None
    change = abs(other.pred_gain.value / plain.pred_gain.value - 1)
    yield Row("gain under a linear map of condition 66", f"{change:.0e} relative", "<= 1e-6", change <= 1e-6)
    values = []
    for rate in (12.5, 25.0, 50.0, 100.0):
        runs = [
            latents(ornstein_uhlenbeck(8, 0.15, rate, 300, 30, seed), rate, orders=(1,))
            .lagged_mutual_information[0]
            .info.value
            for seed in range(SEEDS)
        ]
        values.append(np.mean([x for x in runs if x is not None]))
    truth = ornstein_uhlenbeck_information(8, 0.15, 0.08)
    error, spread = max(abs(v / truth - 1) for v in values), max(values) / min(values) - 1
    yield Row(
        f"information at 80 ms, Ornstein-Uhlenbeck at 12.5 to 100 Hz, mean of {SEEDS}",
        f"within {error:.2%}, spread {spread:.2%}",
        "<= 1%, <= 0.5%",
        error <= 0.01 and spread <= 0.005,
    )
    frames = rng.permutation(data.transpose(0, 2, 1).reshape(-1, 16)).reshape(400, 125, 16).transpose(0, 2, 1)
    null = latents(frames, 12.5).pred_gain
    around = null.low is not None and null.high is not None and null.low <= 0 <= null.high
    yield Row("shuffled frames: gain", str(null), "interval holds 0", around)
    symbols = SparseMarkov.random(64, 1, 16, seed=0).sample(100, 2000, seed=1)
    book = codes(rng.permutation(symbols.ravel()).reshape(100, 1, -1), 64).codebooks[0]
    saved = (book.entropy or 0) - book.bits
    yield Row("shuffled codes: bits saved over single codes", f"{saved:+.4f} bit", "<= 0.002", saved <= 0.002)


def read_outs(large: bool) -> Iterator[Row]:
    """8 dimensions of information among 64, which 8 must keep whole and 64 not add to; and nothing to keep."""
    truth, found, nothing = ornstein_uhlenbeck_information(8, 0.15, 0.08), [], []
    for seed in range(SEEDS):
        process = ornstein_uhlenbeck(8, 0.15, 12.5, 540, 10, seed)
        rng = np.random.default_rng(seed + 50)
        data = np.concatenate((process, rng.normal(size=(540, 56, process.shape[2]))), axis=1)
        found.append(latents(data, 12.5, orders=(1,)).read_out)
        mixed = rng.permutation(data.transpose(0, 2, 1).reshape(-1, 64)).reshape(540, -1, 64).transpose(0, 2, 1)
        nothing.append(latents(mixed, 12.5, orders=(1,)).read_out)
    for i, kept in enumerate(found[0]):
        shares, gains, nulls = [e[i].share for e in found], [e[i].gain for e in found], [e[i].gain for e in nothing]
        mean = float(np.mean([share.value or np.nan for share in shares]))
        held = min(sum(holds(share, 1) for share in shares), sum(holds(gain, truth) for gain in gains))
        yield Row(
            f"8 dimensions of information among 64: kept by {kept.dimensions}",
            f"{mean:.1%} on average, truth in the interval {held} of {SEEDS}",
            f"within 2%, >= {SEEDS - 1}",
            abs(mean - 1) <= 0.02 and held >= SEEDS - 1,
        )
        held = sum(holds(gain) for gain in nulls)
        shown = any(e[i].share.is_resolved for e in nothing)
        yield Row(
            f"  the same, frames in random order: gain kept by {kept.dimensions}",
            f"0 in the interval {held} of {SEEDS}, {'a share' if shown else 'no share'}",
            f">= {SEEDS - 1}, no share",
            held >= SEEDS - 1 and not shown,
        )
    held, worst = 0, 0.0
    for seed in range(SEEDS):
        process = VectorAutoregression.random(24, 0.95, seed)
        share = latents(process.sample(120, 125, seed), 12.5, orders=(1,)).read_out[0].share
        exact = process.pair_gains[:8].sum() / process.gain
        held, worst = held + holds(share, exact), max(worst, abs((share.value or np.nan) - exact))
    yield Row(
        "VAR(1), D = 24, 15 000 frames: share kept by 8",
        f"at most {worst:.1%} off, in the interval {held} of {SEEDS}",
        f"within 2%, >= {SEEDS - 1}",
        worst <= 0.02 and held >= SEEDS - 1,
    )
