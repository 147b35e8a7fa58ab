"""Dimensions that are used, and in which the past says something: known answers, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from auricle.diagnostics.latents.effective_dimension import EffectiveDimension
from auricle.diagnostics.summary import diagnose_latents

SPEAKERS, CLIPS, FRAMES = 12, 6, 120


def corpus(seed: int, moving: int, still: int, turned: bool = True, correlation: float = 0.9) -> list:
    """`moving` autoregressive dimensions and `still` of independent frames, all of variance 1, then rotated."""
    rng = np.random.default_rng(seed)
    dim = moving + still
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0] if turned else np.eye(dim)
    found = []
    for speaker in range(SPEAKERS):
        for clip in range(CLIPS):
            noise = rng.normal(size=(dim, FRAMES))
            for t in range(1, FRAMES):
                noise[:moving, t] = (
                    correlation * noise[:moving, t - 1] + np.sqrt(1 - correlation**2) * noise[:moving, t]
                )
            found.append((f"{speaker}-{clip}", f"s{speaker}", turn @ noise))
    return found


def dimension(samples: list) -> EffectiveDimension:
    found = diagnose_latents(samples, 12.5, group_kind="speaker").dimension
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(5))
def test_of_many_equal_directions_few_are_predictable(seed: int) -> None:
    """Nine tenths of the explained variance of 6 equal directions are in 6."""
    found = dimension(corpus(seed, moving=6, still=26))
    assert found.predictive_dimension == 6
    estimate = found.participation_ratio
    assert estimate.low < 32 < estimate.high
    assert found.explained_share == pytest.approx(6 * 0.81 / 32, abs=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_independent_frames_have_no_predictable_direction(seed: int) -> None:
    found = dimension(corpus(seed, moving=0, still=24))
    assert found.predictive_dimension == 0
    assert found.explained_share <= 0
    assert found.participation_ratio.low < 24 < found.participation_ratio.high


@pytest.mark.parametrize("seed", range(3))
def test_frames_in_another_order_have_no_predictable_direction(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    shuffled = [(key, group, z[:, rng.permutation(FRAMES)]) for key, group, z in corpus(seed, moving=6, still=10)]
    found = dimension(shuffled)
    # single long clips are predictable by their mean alone, which 120 frames of a process of 10 hardly have
    assert found.predictive_dimension <= 6
    assert found.explained_share < 0.05


def test_a_linear_map_changes_the_directions_that_share_variance_and_not_those_that_are_predictable() -> None:
    samples = corpus(1, moving=4, still=12)
    scale = np.geomspace(1, 30, 16)[:, None]
    plain, scaled = dimension(samples), dimension([(key, group, scale * z) for key, group, z in samples])
    assert scaled.predictive_dimension == plain.predictive_dimension == 4
    assert scaled.explained_share == pytest.approx(plain.explained_share)
    assert scaled.participation_ratio.value < plain.participation_ratio.value / 2


def test_too_few_speakers_are_unresolved() -> None:
    few = [sample for sample in corpus(2, moving=2, still=2) if sample[1] in ("s0", "s1", "s2")]
    assert dimension(few).participation_ratio.low is None
