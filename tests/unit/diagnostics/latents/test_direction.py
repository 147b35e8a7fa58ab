import json

import numpy as np
import pytest

from auricle.diagnostics.estimates.folds import make_folds
from auricle.diagnostics.latents.direction import _views, measure
from auricle.diagnostics.latents.polar import choose, log_density
from auricle.diagnostics.latents.von_mises_fisher import fit_concentration, log_area, log_normaliser, sample
from auricle.diagnostics.summary import diagnose_directions

FOLDS = make_folds({f"s{i}": 1.0 for i in range(20)}, group_kind="speaker")


def walk(dim, kappa, clips, length, seed):
    """Steps around a rotation of the one before, log length AR(1) with R^2 0.25; and the exact code length."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    direction = rng.normal(size=(clips, dim))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    log_length, variance = 0.5 * rng.normal(size=clips), 0.25 * 0.75
    place, latents, nats = np.zeros((clips, dim)), np.empty((clips, dim, length)), np.empty((clips, length))
    for t in range(length):
        mean = direction @ rotation.T
        direction = sample(dim, kappa, mean, rng)
        error = np.sqrt(variance) * rng.normal(size=clips)
        log_length = 0.5 * log_length + error
        place = place + np.exp(log_length)[:, None] * direction
        latents[:, :, t] = place
        nats[:, t] = -log_normaliser(dim, kappa) - kappa * (mean * direction).sum(1)
        nats[:, t] += error**2 / (2 * variance) + np.log(2 * np.pi * variance) / 2 + dim * log_length
    return latents, nats


def samples(latents):
    return [(f"{i}", f"s{i % 20}", clip) for i, clip in enumerate(latents)]


@pytest.fixture(scope="module")
def known():
    kappa = fit_concentration(16, 0.7)
    latents, nats = walk(16, kappa, 200, 100, seed=1)
    return kappa, latents, nats, measure(samples(latents), FOLDS)


def test_concentration_cosine_and_length_are_found_again(known):
    kappa, _, _, result = known
    assert result.concentration == pytest.approx(kappa, rel=0.025)
    assert result.dir_cos.value == pytest.approx(0.7, abs=0.01)
    assert result.logmag_r2.value == pytest.approx(0.25, abs=0.03)
    expected = log_area(16) + float(log_normaliser(16, kappa)) + 0.7 * kappa
    assert result.dir_gain.value == pytest.approx(expected, abs=0.06)


def test_the_density_on_the_whole_space_is_the_true_one_jacobian_included(known):
    _, latents, nats, _ = known
    values = latents.transpose(0, 2, 1).reshape(-1, 16)
    position = np.tile(np.arange(100), 200)
    rows, train = np.flatnonzero(position >= 2), (np.repeat(np.arange(200) % 5, 100) > 0)[position >= 2]
    test = np.flatnonzero(~train)
    step, _ = _views(values, rows, train)
    chosen = choose(step, train, np.arange(len(rows)) % 5 == 1)
    found = log_density(step, chosen, train, test, past=True)
    # densities are of frames that are white on the training rows
    white = np.linalg.slogdet(np.cov(values[rows][train].T))[1] / 2
    # leaving out the Jacobian would be off by 15 times the mean log length, some nats
    assert (found - white).mean() == pytest.approx(-nats[:, 2:].ravel()[test].mean(), abs=0.05)


def persistent(dim, kappa, clips, length, seed):
    """Frames exp(s) u: u around a rotation of the one before, uniform in time, s AR(1), R^2 0.25; the gain."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    direction = rng.normal(size=(clips, dim))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    log_length, latents = 0.5 * rng.normal(size=clips), np.empty((clips, dim, length))
    cosine = 0.0
    for t in range(length):
        mean = direction @ rotation.T
        direction = sample(dim, kappa, mean, rng)
        cosine += (mean * direction).sum(1).mean() / length
        log_length = 0.5 * log_length + 0.5 * np.sqrt(0.75) * rng.normal(size=clips)
        latents[:, :, t] = np.exp(log_length)[:, None] * direction
    gain = log_area(dim) + float(log_normaliser(dim, kappa)) + kappa * cosine - np.log(0.75) / 2
    return latents, gain


def test_the_gain_is_that_of_the_same_family_over_its_marginal():
    latents, truth = persistent(8, 20.0, 200, 100, seed=1)
    result = measure(samples(latents), FOLDS)
    assert result.gain.value == pytest.approx(truth, rel=0.03)
    assert result.dir_cos_excess.low > 0.1


@pytest.mark.parametrize("seed", range(2))
def test_independent_frames_of_varying_scale_have_no_gain_and_nothing_above_the_null(seed):
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(100, 8, 60)) * np.exp(0.8 * rng.normal(size=(100, 1, 60)))
    result = measure(samples(latents), FOLDS)
    assert result.gain.low <= 0 <= result.gain.high
    assert abs(result.gain.value) < 0.01
    # the step points back to the mean: predictable, and only as far as any shuffled clip is
    assert result.dir_cos.value > 0.6
    assert result.dir_cos.value - result.dir_cos_null == pytest.approx(result.dir_cos_excess.value)
    assert abs(result.dir_cos_excess.value) < 0.01
    assert abs(result.dir_gain_excess.value) < 0.1


def test_scale_and_rotation_of_the_latents_change_nothing(known):
    _, latents, _, result = known
    rotation, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(16, 16)))
    turned = measure(samples(3.0 * np.einsum("ij,njt->nit", rotation, latents)), FOLDS)
    assert turned.gain.value == pytest.approx(result.gain.value, abs=0.02)
    assert turned.dir_cos.value == pytest.approx(result.dir_cos.value, abs=1e-3)


def test_steps_in_random_directions_are_not_predicted():
    rng = np.random.default_rng(0)
    result = measure(samples(np.cumsum(rng.normal(size=(100, 8, 100)), axis=2)), FOLDS)
    assert abs(result.dir_cos.value) < 0.05
    assert result.dir_gain.value < 0.02
    assert result.logmag_r2.value < 0.01


def test_frames_that_stand_still_are_counted_and_left_out():
    rng = np.random.default_rng(0)
    latents = np.repeat(np.cumsum(rng.normal(size=(40, 4, 40)), axis=2), 1, axis=2)
    latents[:, :, 20:22] = latents[:, :, 19:20]
    result = measure(samples(latents), FOLDS)
    assert result.num_still == 40 * 3
    assert result.num_frames == 40 * (38 - 3)


def test_latents_without_variance_are_refused():
    with pytest.raises(ValueError, match="constant"):
        measure([("a", "s0", np.ones((4, 10))), ("b", "s1", np.ones((4, 10)))], FOLDS)
    with pytest.raises(ValueError, match="at least one clip"):
        measure([], FOLDS)


def test_the_diagnosis_is_json_and_finds_what_was_planted(known):
    _, latents, _, _ = known
    result = diagnose_directions(samples(latents), group_kind="speaker", num_archetypes=16, max_archetype_frames=5000)
    record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert record["dir_cos"]["value"] == pytest.approx(0.7, abs=0.01)
    assert record["dir_cos_excess"]["value"] == pytest.approx(0.7 - record["dir_cos_null"], abs=0.01)
    assert record["arche_excess"]["status"] == "resolved"


def test_few_speakers_many_dimensions_or_nothing_at_all_give_no_number():
    rng = np.random.default_rng(0)
    few = [(f"{i}", f"s{i % 3}", rng.normal(size=(4, 60))) for i in range(30)]
    assert "3 speakers" in diagnose_directions(few, group_kind="speaker").dir_gain.reason
    wide = [(f"{i}", f"s{i % 9}", rng.normal(size=(90, 30))) for i in range(30)]
    assert diagnose_directions(wide, group_kind="speaker").dir_gain.value is None
    still = [(f"{i}", f"s{i % 9}", np.ones((4, 30))) for i in range(30)]
    assert diagnose_directions(still, group_kind="speaker") is None
    assert diagnose_directions([], group_kind="speaker") is None
    broken = [("x", "s1", np.full((4, 30), np.nan)), ("y", "s1", np.ones((3, 30)))]
    assert diagnose_directions(few + broken, group_kind="speaker").num_frames == 30 * 58
