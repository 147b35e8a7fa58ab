"""What a few numbers read out of the past keep of the gain: known shares, and nothing of nothing."""

from __future__ import annotations

import numpy as np
import pytest

from auricle.diagnostics.known.processes import (
    VectorAutoregression,
    ornstein_uhlenbeck,
    ornstein_uhlenbeck_information,
)
from auricle.diagnostics.latents.gaussian_predictor import GaussianPredictor
from auricle.diagnostics.latents.lag_moments import LagMoments
from auricle.diagnostics.latents.read_out import CanonicalPairs, Kept
from auricle.diagnostics.summary import diagnose_latents

SPEAKERS, CLIPS = 12, 120
SEEDS = range(5)


def read_out(data: np.ndarray, orders: tuple[int, ...] = (1,)) -> dict[int, Kept]:
    samples = [(f"{i:03}", f"s{i % SPEAKERS:02}", clip) for i, clip in enumerate(data)]
    found = diagnose_latents(samples, 12.5, group_kind="speaker", orders=orders).read_out
    return {kept.dimensions: kept for kept in found}


def among_noise(seed: int) -> np.ndarray:
    """8 dimensions of information among 40, turned so that no axis is one of them."""
    process = ornstein_uhlenbeck(8, 0.15, 12.5, CLIPS, 10, seed)
    rng = np.random.default_rng(seed + 50)
    noise = rng.normal(size=(CLIPS, 32, process.shape[2]))
    return np.linalg.qr(rng.normal(size=(40, 40)))[0] @ np.concatenate((process, noise), axis=1)


def test_information_in_eight_dimensions_is_kept_by_eight_and_by_more() -> None:
    truth = ornstein_uhlenbeck_information(8, 0.15, 0.08)
    found = [read_out(among_noise(seed)) for seed in SEEDS]
    assert set(found[0]) == {8, 16, 32}
    for dim in (8, 16, 32):
        shares = [each[dim].share for each in found]
        assert np.mean([share.value for share in shares]) == pytest.approx(1, abs=0.03)
        assert sum(share.low <= 1 <= share.high for share in shares) >= 4, dim
        assert sum(each[dim].gain.low <= truth <= each[dim].gain.high for each in found) >= 4, dim


def test_shares_of_an_autoregression_are_those_of_its_canonical_pairs() -> None:
    held = dict.fromkeys((8, 16), 0)
    for seed in SEEDS:
        process = VectorAutoregression.random(24, 0.95, seed)
        found = read_out(process.sample(CLIPS, 125, seed))
        for dim in held:
            truth = process.pair_gains[:dim].sum() / process.gain
            assert found[dim].share.value == pytest.approx(truth, abs=0.02)
            held[dim] += found[dim].share.low <= truth <= found[dim].share.high
    assert min(held.values()) >= 4, held


def test_of_frames_in_random_order_nothing_is_kept() -> None:
    held = dict.fromkeys((8, 16, 32), 0)
    for seed in SEEDS:
        data = among_noise(seed)
        # over all clips: what a clip is like says something of its frames
        mixed = np.random.default_rng(seed).permutation(data.transpose(0, 2, 1).reshape(-1, 40))
        found = read_out(mixed.reshape(CLIPS, -1, 40).transpose(0, 2, 1), orders=(2,))
        for dim in held:
            assert found[dim].share.value is None
            assert found[dim].share.reason == "the past says nothing that could be kept"
            held[dim] += found[dim].gain.low <= 0 <= found[dim].gain.high
    assert min(held.values()) >= 4, held


def test_all_pairs_together_are_the_prediction_itself() -> None:
    data = VectorAutoregression.random(6, 0.9, 0).sample(40, 60, 1)
    moments, held_out = (LagMoments.of(part, 6, (1, 2)) for part in (data[:30], data[30:]))
    predictor = GaussianPredictor(moments, 1e-6)
    pairs = CanonicalPairs(moments, predictor)
    assert pairs.expected_gains(held_out).sum() == pytest.approx(predictor.expected_gain(held_out), rel=1e-4)
    assert pairs.gains(data[35]).sum() == pytest.approx(predictor.gain(data[35]).sum(), rel=1e-4)


def test_what_is_missing_is_said() -> None:
    data = among_noise(0)
    few = [(f"{i}", f"s{i % 3}", clip) for i, clip in enumerate(data)]
    (kept, *_) = diagnose_latents(few, 12.5, group_kind="speaker", orders=(1,)).read_out
    assert kept.gain.reason == "3 speakers where an interval needs 5"
    (kept, *_) = read_out(data[:8, :, :30]).values()
    assert kept.share.reason == "too few frames to see what fitting them costs"
    assert read_out(data[:, :8]) == {}, "there is nothing to leave out"
