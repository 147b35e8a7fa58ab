"""The mixture density network: a source that no linear prediction sees, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.diagnostics.known.processes import SignFlip, VectorAutoregression  # noqa: E402
from auricle.diagnostics.motion.clips import Clips  # noqa: E402
from auricle.diagnostics.neural.mixture_density import MixtureDensity  # noqa: E402
from auricle.diagnostics.neural.mixture_gain import MixtureGain, mixture_gain  # noqa: E402

SPEAKERS, CLIPS, FRAMES = 10, 60, 100
SEEDS = range(5)
FLIPS = SignFlip(4, 0.9)


def measured(data: np.ndarray, seed: int, max_steps: int = 200, order: int = 1) -> MixtureGain:
    kept = {f"{i:03}": (f"s{i % SPEAKERS:02}", clip) for i, clip in enumerate(data)}
    clips = Clips.of(kept, group_kind="speaker", seed=seed)
    return mixture_gain(clips, order, 1e5, group_kind="speaker", seed=seed, max_steps=max_steps)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_no_linear_prediction_sees_is_found(seed: int) -> None:
    found, truth = measured(FLIPS.sample(CLIPS, FRAMES, seed), seed), FLIPS.gain()
    assert abs(found.linear_gain.value) < 0.02
    assert 0.85 * truth < found.gain.value < found.gain.high
    assert found.gain.value < 1.03 * truth
    assert found.difference.low > 0.7 * truth
    assert found.folds_of_marginal == 0


def test_frames_in_random_order_have_no_gain() -> None:
    """Of varying scale: their mixture is far from Gaussian, and still says nothing of the next one."""
    held = 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        data = rng.normal(size=(CLIPS, 4, FRAMES)) * np.exp(0.8 * rng.normal(size=(CLIPS, 1, FRAMES)))
        found = measured(data, seed)
        held += found.gain.low <= 0 <= found.gain.high
        assert abs(found.gain.value) < 0.02
    assert held >= 4


@pytest.mark.parametrize("seed", SEEDS)
def test_on_a_linear_source_it_is_the_linear_prediction(seed: int) -> None:
    process = VectorAutoregression.random(4, 0.9, seed)
    found = measured(process.sample(CLIPS, FRAMES, seed), seed)
    assert found.gain.value == pytest.approx(found.linear_gain.value, abs=0.06)
    assert found.gain.value == pytest.approx(process.gain, rel=0.1)


def test_a_density_sums_to_one_and_begins_as_the_mixture_that_was_fitted() -> None:
    torch.manual_seed(0)
    model = MixtureDensity(1, 3, components=2, hidden=8)
    rng = np.random.default_rng(0)
    model.fit(np.concatenate((rng.normal(-3, 0.5, 3000), rng.normal(2, 1, 1000)))[:, None], rng)
    grid = torch.linspace(-12, 12, 4001)[:, None]
    past = torch.randn(1, 3).expand(4001, -1)
    normal = [torch.exp(-(((grid[:, 0] - m) / s) ** 2) / 2) / s / np.sqrt(2 * np.pi) for m, s in ((-3, 0.5), (2, 1))]
    with torch.no_grad():
        found = torch.exp(model.log_density(grid, past))
        assert (found - (0.75 * normal[0] + 0.25 * normal[1])).abs().max() < 0.03
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
        area = torch.exp(model.log_density(grid, past)).sum() * 24 / 4000
    assert float(area) == pytest.approx(1, abs=1e-3)


def test_two_runs_are_equal() -> None:
    data = FLIPS.sample(20, 60, 0)
    first, second = (measured(data, 3, max_steps=20) for _ in range(2))
    assert first.gain.value == pytest.approx(second.gain.value, abs=1e-5)
    assert first.difference.low == pytest.approx(second.difference.low, abs=1e-5)


def test_what_is_missing_is_said() -> None:
    data = FLIPS.sample(20, 60, 0)
    few = Clips.of({f"{i:02}": (f"s{i % 3}", clip) for i, clip in enumerate(data)}, group_kind="speaker")
    found = mixture_gain(few, 1, 1e5, group_kind="speaker", max_steps=5)
    assert found.gain.reason == "3 speakers where an interval needs 5"
    found = measured(data[:10, :, :7], 0, order=4)
    assert found.gain.reason.endswith("frames of other speakers where 64 are needed")
    assert found.to_dict()["difference"]["status"] == "unresolved"
