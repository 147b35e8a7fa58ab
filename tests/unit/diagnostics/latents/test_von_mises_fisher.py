import mpmath
import numpy as np
import pytest

from auricle.diagnostics.latents.von_mises_fisher import (
    fit_concentration,
    log_area,
    log_normaliser,
    mean_cosine,
    sample,
)


@pytest.mark.parametrize("dim", [2, 3, 8, 16, 61, 62, 128, 512])
def test_the_log_normaliser_agrees_with_fifty_digits(dim):
    with mpmath.workdps(50):
        order = mpmath.mpf(dim) / 2 - 1
        for kappa in (0.01, 0.5, 10, 100, 1e4):
            exact = order * mpmath.log(kappa) - dim * mpmath.log(2 * mpmath.pi) / 2
            exact -= mpmath.log(mpmath.besseli(order, kappa))
            assert abs(float(log_normaliser(dim, kappa) - exact)) <= 1e-8


def test_no_concentration_is_the_uniform_distribution():
    for dim in (2, 3, 16, 512):
        assert float(log_normaliser(dim, 0.0)) == pytest.approx(-log_area(dim))
        assert float(log_normaliser(dim, 1e-6)) == pytest.approx(-log_area(dim), abs=1e-6)
    assert log_area(3) == pytest.approx(np.log(4 * np.pi))


@pytest.mark.parametrize("dim", [3, 16, 128, 512])
@pytest.mark.parametrize("kappa", [0.5, 20, 700, 5000])
def test_the_concentration_is_found_again_from_its_mean_cosine(dim, kappa):
    assert fit_concentration(dim, mean_cosine(dim, kappa)) == pytest.approx(kappa, rel=1e-6)


def test_directions_that_point_away_have_no_concentration():
    assert fit_concentration(16, -0.1) == 0.0


@pytest.mark.parametrize("dim", [3, 64])
def test_samples_have_the_mean_cosine_of_their_concentration_and_unit_length(dim):
    rng = np.random.default_rng(0)
    mean = rng.normal(size=(20_000, dim))
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    drawn = sample(dim, 30.0, mean, rng)
    assert np.linalg.norm(drawn, axis=1) == pytest.approx(np.ones(20_000))
    cosine = (drawn * mean).sum(1)
    assert cosine.mean() == pytest.approx(mean_cosine(dim, 30.0), abs=4 * cosine.std() / np.sqrt(20_000))
