"""A source that no linear prediction sees, and what a mixture density network makes of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from known_rows import SEEDS, Row, holds

from auricle.diagnostics.known.processes import SignFlip, VectorAutoregression
from auricle.diagnostics.motion.clips import Clips
from auricle.diagnostics.neural.mixture_gain import MixtureGain, mixture_gain

CLIPS, FRAMES, SPEAKERS, STEPS = 120, 100, 20, 400


def network(data: np.ndarray, seed: int) -> MixtureGain:
    """Of `[N, D, T]` latents; a number of steps, so that every machine trains the same."""
    kept = {f"{i:03}": (f"s{i % SPEAKERS:02}", each) for i, each in enumerate(data)}
    clips = Clips.of(kept, group_kind="speaker", seed=seed)
    return mixture_gain(clips, 1, 1e5, group_kind="speaker", seed=seed, max_steps=STEPS)


def mixtures(large: bool) -> Iterator[Row]:
    """Nonlinear, nothing, linear."""
    for dim in (4, 16):
        source = SignFlip(dim, 0.9)
        truth, found = source.gain(), [network(source.sample(CLIPS, FRAMES, seed), seed) for seed in range(SEEDS)]
        gains = [e.gain.value or np.nan for e in found]
        linear = max(abs(e.linear_gain.value or np.nan) for e in found)
        least, most = min(gains) / truth, max(gains) / truth
        yield Row(
            f"sign flips, D = {dim}, 12 000 frames, {STEPS} steps: truth {truth:.2f} nat/frame",
            f"{least:.0%} to {most:.0%} of it in {SEEDS} runs; linear prediction at most {linear:.3f}",
            "85% to 103%; linear <= 0.05",
            least >= 0.85 and most <= 1.03 and linear <= 0.05,
        )
    found = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        data = rng.normal(size=(CLIPS, 4, FRAMES)) * np.exp(0.8 * rng.normal(size=(CLIPS, 1, FRAMES)))
        found.append(network(data, seed))
    held, most = sum(holds(e.gain) for e in found), max(abs(e.gain.value or 0) for e in found)
    yield Row(
        "independent frames of log-normal scale: gain of the network",
        f"at most {most:.4f} nat/frame, 0 in the interval {held} of {SEEDS}",
        f"<= 0.02, >= {SEEDS - 1}",
        most <= 0.02 and held >= SEEDS - 1,
    )
    off = []
    for seed in range(SEEDS):
        gain = network(VectorAutoregression.random(4, 0.9, seed).sample(CLIPS, FRAMES, seed), seed)
        off.append(abs(gain.difference.value if gain.difference.value is not None else np.nan))
    yield Row(
        "VAR(1), D = 4: gain of the network minus that of the linear prediction",
        f"at most {max(off):.3f} nat/frame",
        "<= 0.05",
        max(off) <= 0.05,
    )
