import json

import numpy as np
import pytest

from auricle.diagnostics.estimates.folds import make_folds
from auricle.diagnostics.known.processes import (
    VectorAutoregression,
    ornstein_uhlenbeck,
    ornstein_uhlenbeck_information,
)
from auricle.diagnostics.latents.finite_sample import shortfall
from auricle.diagnostics.latents.gaussian_predictor import GaussianPredictor
from auricle.diagnostics.latents.lag_moments import LagMoments
from auricle.diagnostics.latents.predictive_gain import _Judge, measure
from auricle.diagnostics.summary import diagnose_latents


def diagnose(latents, frame_rate=12.5, groups=20, **options):
    """latents `[N, D, T]`; clip i belongs to group i % groups."""
    samples = [(f"clip {i:04}", f"speaker {i % groups:02}", clip) for i, clip in enumerate(latents)]
    return diagnose_latents(samples, frame_rate, group_kind="speaker", **options)


@pytest.fixture(scope="module")
def process():
    return VectorAutoregression.random(16, 0.95, seed=1)


@pytest.fixture(scope="module")
def latents(process):
    return process.sample(400, 125, seed=2)


def test_moments_merge_and_subtract_to_what_a_single_pass_gives(latents):
    whole = LagMoments.of(latents[:40], 16, (1, 2))
    parts = [LagMoments.of(latents[i:40:4], 16, (1, 2)) for i in range(4)]
    merged = parts[0] + parts[1] + parts[2] + parts[3]
    assert merged.num_rows == whole.num_rows
    np.testing.assert_allclose(merged.products, whole.products, rtol=1e-9, atol=1e-9 * np.abs(whole.products).max())
    left, refit = whole - parts[0], parts[1] + parts[2] + parts[3]
    np.testing.assert_allclose(left.products, refit.products, rtol=1e-9, atol=1e-9 * np.abs(whole.products).max())
    with pytest.raises(ValueError, match="differ in kind"):
        _ = whole + LagMoments.empty(16, (1,))


def test_moments_of_first_lags_are_those_of_the_same_rows(latents):
    few = LagMoments.of(latents[:5], 16, (1, 2, 4)).first(1)
    stacked = np.concatenate([np.concatenate((z[:, 4:], z[:, 3:-1])) for z in latents[:5]], axis=1)
    np.testing.assert_allclose(few.products, stacked @ stacked.T)
    np.testing.assert_allclose(few.total, stacked.sum(1))


def test_the_expected_gain_from_moments_is_the_mean_gain_of_the_frames(latents):
    model = GaussianPredictor(LagMoments.of(latents[:200], 16, (1, 2)), ridge=1e-2)
    held_out = latents[200:240]
    mean = np.mean([model.gain(clip) for clip in held_out])
    assert model.expected_gain(LagMoments.of(held_out, 16, (1, 2))) == pytest.approx(mean, rel=1e-9)


def test_without_ridge_it_agrees_with_ordinary_least_squares(latents):
    train, test = latents[:300], latents[300:]
    model = GaussianPredictor(LagMoments.of(train, 16, (1,)), ridge=0.0)

    def pairs(clips):
        return np.concatenate([c[:, 1:] for c in clips], 1), np.concatenate([c[:, :-1] for c in clips], 1)

    now, before = pairs(train)
    design = np.vstack((before, np.ones(before.shape[1])))
    weights = np.linalg.lstsq(design.T, now.T, rcond=None)[0].T
    left, about = now - weights @ design, now - now.mean(1, keepdims=True)
    noise, marginal = left @ left.T / now.shape[1], about @ about.T / now.shape[1]
    now_2, before_2 = pairs(test)
    error = now_2 - weights @ np.vstack((before_2, np.ones(before_2.shape[1])))
    centered = now_2 - now.mean(1, keepdims=True)

    def density(x, covariance):
        return -np.einsum("it,ij,jt->t", x, np.linalg.inv(covariance), x) / 2 - np.linalg.slogdet(covariance)[1] / 2

    expected = np.mean(density(error, noise) - density(centered, marginal))
    assert np.mean([model.gain(clip) for clip in test]) == pytest.approx(expected, rel=1e-6)


def test_the_gain_of_an_autoregression_is_the_analytic_one_whatever_the_data_cost(process, latents):
    result = diagnose(latents, orders=(1,))
    oracle = np.mean([process.oracle_gain(clip) for clip in latents])
    assert result.order == 1
    assert result.pred_gain.value == pytest.approx(oracle, abs=0.5 * result.finite_sample_bias)
    assert result.finite_sample_bias == pytest.approx(16**2 / (2 * 0.8 * 400 * 124), rel=0.2)
    assert result.finite_sample_bias_measured == pytest.approx(result.finite_sample_bias, rel=0.2)
    assert result.pred_gain.low <= process.gain <= result.pred_gain.high
    assert result.pred_gain_per_s.value == pytest.approx(12.5 * result.pred_gain.value)
    assert result.r2_info == pytest.approx(1 - np.exp(-2 * result.pred_gain.value / 16))


def test_validation_finds_the_order_of_a_process_of_order_two(process, latents):
    delayed = np.repeat(latents[:, :, :60], 1, axis=2)
    interleaved = np.empty((*delayed.shape[:2], 120))
    # two interleaved copies of the process: the frame before says nothing, the one before that everything
    interleaved[:, :, 0::2], interleaved[:, :, 1::2] = delayed, delayed[::-1]
    result = diagnose(interleaved, orders=(1, 2))
    assert result.order == 2
    assert dict(result.gain_by_order)[1] == pytest.approx(0, abs=0.05)
    assert dict(result.gain_by_order)[2] == pytest.approx(process.gain, rel=0.03)
    assert result.pred_gain.value == pytest.approx(process.gain, rel=0.02)


@pytest.mark.parametrize("name", ["scale", "rotation", "conditioned", "offset", "mixed units"])
def test_no_invertible_linear_map_changes_the_gain(latents, name):
    rng = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(rng.normal(size=(16, 16)))
    shape = {
        "scale": 0.1 * np.eye(16),
        "rotation": rotation,
        "conditioned": rotation @ np.diag(np.geomspace(1, 66, 16)),
        "offset": np.eye(16),
        "mixed units": np.diag(np.geomspace(1e-4, 1e4, 16)),
    }[name]
    offset = 100.0 if name == "offset" else 0.0
    some = latents[:100]
    mapped = np.einsum("ij,njt->nit", shape, some) + offset
    before, after = diagnose(some, orders=(1,)), diagnose(mapped, orders=(1,))
    assert after.pred_gain.value == pytest.approx(before.pred_gain.value, rel=1e-6)
    assert after.lagged_mutual_information[0].info.value == pytest.approx(
        before.lagged_mutual_information[0].info.value, rel=1e-6
    )


def test_information_at_a_horizon_is_the_same_at_every_frame_rate_and_the_gain_per_second_is_not():
    values, per_second = {}, {}
    for rate in (12.5, 25.0, 50.0):
        result = diagnose(ornstein_uhlenbeck(8, 0.15, rate, 100, 30, seed=3), rate, orders=(1,))
        values[rate] = [horizon.info.value for horizon in result.lagged_mutual_information]
        per_second[rate] = result.pred_gain_per_s.value
    for column, tau in enumerate((0.08, 0.16, 0.32)):
        truth = ornstein_uhlenbeck_information(8, 0.15, tau)
        assert [values[rate][column] for rate in values] == pytest.approx([truth] * 3, abs=0.02 + 0.01 * truth)
    assert per_second[50.0] > 10 * per_second[12.5]


def test_a_horizon_between_two_lags_is_interpolated():
    result = diagnose(ornstein_uhlenbeck(8, 0.15, 86.13, 60, 20, seed=3), 86.13, orders=(1,))
    assert [lag for lag, _ in result.lagged_mutual_information[0].lags] == [6, 7]
    assert sum(weight for _, weight in result.lagged_mutual_information[0].lags) == pytest.approx(1)
    assert result.lagged_mutual_information[0].info.value == pytest.approx(
        ornstein_uhlenbeck_information(8, 0.15, 0.08), rel=0.03
    )


def test_shuffled_frames_have_no_gain(latents):
    rng = np.random.default_rng(0)
    frames = rng.permutation(latents.transpose(0, 2, 1).reshape(-1, 16))
    result = diagnose(frames.reshape(400, 125, 16).transpose(0, 2, 1))
    assert result.pred_gain.low < 0 < result.pred_gain.high
    assert abs(result.pred_gain.value) < 0.001
    for horizon in result.lagged_mutual_information:
        assert horizon.info.low < 0 < horizon.info.high


@pytest.mark.parametrize("seed", range(2))
def test_dimensions_of_noise_do_not_change_the_information(seed):
    process = ornstein_uhlenbeck(8, 0.15, 12.5, 200, 20, seed=seed)
    truth = ornstein_uhlenbeck_information(8, 0.15, 0.08)
    noise = np.random.default_rng(seed + 50).normal(size=(200, 56, process.shape[2]))
    plain = diagnose(process).lagged_mutual_information[0].info
    wide = diagnose(np.concatenate((process, noise), axis=1)).lagged_mutual_information[0]
    assert wide.finite_sample_bias > 0.03 * truth
    assert wide.info.value == pytest.approx(plain.value, abs=0.02 * truth)
    assert wide.info.low < truth < wide.info.high


def test_the_shortfall_is_the_first_order_term_for_long_data_and_undefined_without_enough():
    assert shortfall(1e6, 64, 2) == pytest.approx(64**2 * 2 / 2e6, rel=0.01)
    assert shortfall(40, 16, 2) == float("inf")


def test_too_few_frames_for_the_dimension_are_unresolved_and_say_how_many_hours_are_needed():
    result = diagnose(np.random.default_rng(0).normal(size=(20, 64, 30)), orders=(1,))
    assert result.pred_gain.value is None
    assert "for 64 dimensions where 640 are needed" in result.pred_gain.reason
    assert "h of audio" in result.pred_gain.remedy
    assert result.r2_info is None


def test_repeated_frames_are_called_determined_not_predictable():
    rng = np.random.default_rng(0)
    ramp = np.cumsum(rng.normal(size=(100, 4, 1)), axis=2) + np.arange(60.0) * rng.normal(size=(100, 4, 1))
    result = diagnose(ramp, orders=(2,))
    assert result.pred_gain.value is None
    assert "follow exactly" in result.pred_gain.reason


def test_dead_and_duplicate_dimensions_are_dropped(latents):
    extra = np.concatenate((latents, latents[:, :1] * 3 + 1, np.zeros((400, 2, 125))), axis=1)
    result = diagnose(extra, orders=(1,))
    assert (result.dim, result.rank) == (19, 16)
    assert result.pred_gain.value == pytest.approx(diagnose(latents, orders=(1,)).pred_gain.value, rel=1e-6)


def test_constant_short_few_or_no_latents_are_unresolved_without_an_error():
    rng = np.random.default_rng(0)
    for samples in (np.ones((20, 4, 50)), rng.normal(size=(20, 4, 1)), rng.normal(size=(2, 4, 50)), np.ones((0, 4, 9))):
        result = diagnose(samples)
        assert result.pred_gain.value is None
        assert result.num_clips == samples.shape[0]
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["pred_gain"]["status"] == "unresolved"


def test_bad_clips_are_left_out_and_counted(latents):
    samples = [(f"{i}", f"s{i % 9}", clip.astype(np.float32)) for i, clip in enumerate(latents[:50])]
    broken = latents[0].copy()
    broken[3, 7] = np.nan
    samples += [("nan", "s1", broken), ("thin", "s1", latents[0][:4]), ("none", "s1", latents[0][:, :0])]
    samples += [("codes", "s1", np.zeros((16, 5), int)), samples[0]]
    result = diagnose_latents(lambda: iter(samples), 12.5, group_kind="recording")
    assert result.skipped == {
        "not_finite": 1,
        "other_dimension": 1,
        "empty": 1,
        "not_latents": 1,
        "duplicate_key": 1,
    }
    assert result.num_clips == 50
    assert np.isfinite(result.nats).all()


def test_a_limit_on_frames_takes_whole_clips_from_every_group(latents):
    result = diagnose(latents, max_frames=10_000, orders=(1,))
    assert result.num_frames == 10_000
    assert result.num_groups == 20


def test_a_pass_that_cannot_be_repeated_is_refused(latents):
    with pytest.raises(TypeError, match="more than once"):
        diagnose_latents(iter([("a", "b", latents[0])]), 12.5, group_kind="speaker")


def test_gain_of_clips_adds_up_to_the_gain_of_the_corpus(latents):
    samples = [(f"{i:03}", f"s{i % 9}", clip) for i, clip in enumerate(latents[:60])]
    folds = make_folds({f"s{i}": 1.0 for i in range(9)}, group_kind="speaker")
    result = measure(lambda: samples, 16, folds, 12.5, group_kind="speaker", orders=(1, 2))
    assert result.clips.nats.sum() / result.clips.frames.sum() == pytest.approx(result.gain.value)
    assert set(result.clips.frames.tolist()) == {123}


@pytest.mark.parametrize(("mean", "is_resolved"), [(-0.5, False), (0.0, True), (0.5, True)])
def test_a_gain_that_is_surely_below_zero_is_no_gain(latents, mean, is_resolved):
    groups = [f"speaker {i // 2:02}" for i in range(40)]
    sums = 100 * (mean + 0.1 * np.random.default_rng(0).standard_normal(40))
    model = GaussianPredictor(LagMoments.of(latents[:200], 16, (1,)), ridge=1e-2)
    judge = _Judge(groups, "speaker", 16, 12.5, 4000)
    found = judge.estimate(sums, np.full(40, 100), [model], 0.0, "nat/frame")
    assert found.is_resolved == is_resolved
    assert found.computed == pytest.approx(mean, abs=0.05)
    if not is_resolved:
        assert found.reason.startswith("surely below 0 (-0.5")
