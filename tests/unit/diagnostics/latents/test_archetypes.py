import numpy as np
import pytest

from auricle.diagnostics.latents.archetypes import Directions, measure, spherical_kmeans

COUNT = 6000
GROUP = np.arange(COUNT) // 250


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


FOLD = np.arange(GROUP[-1] + 1) % 4
CLIP_NAMES = [f"speaker {i:02}" for i in range(GROUP[-1] + 1)]


def clustered(directions, null, num):
    return measure(Directions(directions, GROUP), Directions(null, GROUP), CLIP_NAMES, FOLD, num_archetypes=num)


def test_noise_in_few_dimensions_looks_tight_and_has_no_excess():
    rng = np.random.default_rng(0)
    result = clustered(unit(rng.normal(size=(COUNT, 4))), unit(rng.normal(size=(COUNT, 4))), 64)
    assert result.tightness.value > 0.93
    assert abs(result.excess.value) < 0.003
    assert result.next_gain.value < 0
    assert result.next_gain_excess.low < 0 < result.next_gain_excess.high


def test_planted_archetypes_exceed_the_null_and_their_succession_is_predictable():
    rng = np.random.default_rng(2)
    centers, follow = unit(rng.normal(size=(16, 12))), rng.dirichlet(np.full(16, 0.1), 16)
    state = np.zeros(COUNT, int)
    for i in range(1, COUNT):
        state[i] = rng.choice(16, p=follow[state[i - 1]])
    planted = unit(centers[state] + 0.15 * rng.normal(size=(COUNT, 12)))
    result = clustered(planted, unit(rng.normal(size=(COUNT, 12))), 16)
    assert result.excess.low > 0.1
    assert result.next_gain_excess.low > 0.3 * result.next_bits


def test_more_centres_than_directions_do_no_harm():
    directions = unit(np.random.default_rng(4).normal(size=(5, 3)))
    centers = spherical_kmeans(directions, 8, np.random.default_rng(0))
    assert np.linalg.norm(centers, axis=1) == pytest.approx(np.ones(8))
