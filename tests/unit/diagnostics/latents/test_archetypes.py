import numpy as np
import pytest

from auricle.diagnostics.latents.archetypes import measure, spherical_kmeans, tyler_shape

COUNT = 6000
GROUP = np.arange(COUNT) // 250
NAMES = [f"speaker {i:02}" for i in GROUP]


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def clustered(directions, num):
    return measure(directions, NAMES, GROUP, GROUP % 4, num_archetypes=num)


def test_noise_in_few_dimensions_looks_tight_and_has_no_excess():
    result = clustered(unit(np.random.default_rng(0).normal(size=(COUNT, 4))), 64)
    assert result.tightness.value > 0.93
    assert abs(result.excess.value) < 0.003
    assert result.next_gain.value < 0


def test_a_stretched_gaussian_has_no_excess_either():
    rng = np.random.default_rng(1)
    result = clustered(unit(rng.normal(size=(COUNT, 16)) * np.geomspace(1, 0.1, 16)), 32)
    assert result.tightness.value > result.tightness_uniform + 0.1
    assert abs(result.excess.value) < 0.01


def test_planted_archetypes_exceed_the_null_and_their_succession_is_predictable():
    rng = np.random.default_rng(2)
    centers, follow = unit(rng.normal(size=(16, 12))), rng.dirichlet(np.full(16, 0.1), 16)
    state = np.zeros(COUNT, int)
    for i in range(1, COUNT):
        state[i] = rng.choice(16, p=follow[state[i - 1]])
    result = clustered(unit(centers[state] + 0.15 * rng.normal(size=(COUNT, 12))), 16)
    assert result.excess.low > 0.1
    assert result.next_gain.low > 0.3 * result.next_bits


def test_tylers_shape_of_directions_is_the_shape_of_the_gaussian_behind_them():
    rng = np.random.default_rng(3)
    truth = np.diag(np.geomspace(1, 0.05, 6))
    directions = unit(rng.normal(size=(40_000, 6)) @ np.sqrt(truth))
    assert tyler_shape(directions) == pytest.approx(truth * 6 / np.trace(truth), abs=0.05)


def test_more_centres_than_directions_do_no_harm():
    directions = unit(np.random.default_rng(4).normal(size=(5, 3)))
    centers = spherical_kmeans(directions, 8, np.random.default_rng(0))
    assert np.linalg.norm(centers, axis=1) == pytest.approx(np.ones(8))
