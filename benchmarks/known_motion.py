"""Walks around planted archetypes, processes whose forecasts are known, and frames in random order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from known_rows import SEEDS, Row, holds

from auricle.diagnostics.known.processes import ornstein_uhlenbeck, ornstein_uhlenbeck_forecast
from auricle.diagnostics.known.walks import ArchetypeWalk
from auricle.diagnostics.motion.acoustic_change import acoustic_changes
from auricle.diagnostics.motion.archetype_curve import Clustered, Quarters, Tightness, tightness
from auricle.diagnostics.motion.clips import Clips
from auricle.diagnostics.motion.rollout import MEASURES, STEPS, rollout
from auricle.diagnostics.motion.steps import Steps

SPEAKERS, CLIPS, FRAMES, DIM = 20, 100, 200, 16


def clips_of(arrays: Iterable[np.ndarray], seed: int) -> Clips:
    """Latents `[D, T]` each, of `SPEAKERS` speakers in turn."""
    kept = {f"{i:03}": (f"s{i % SPEAKERS:02}", each) for i, each in enumerate(arrays)}
    return Clips.of(kept, group_kind="speaker", seed=seed)


def clustered(clips: Clips, size: int, seed: int) -> Tightness:
    """Beside both nulls."""
    steps, mixed = (Steps.of(each).apart() for each in (clips, clips.shuffled(seed)))
    quarters = Quarters.of(clips)
    found, shuffled, uniform = (
        Clustered.of(each, quarters, size, seed) for each in (steps, mixed, steps.uniform(seed))
    )
    return tightness(found, shuffled, uniform, quarters, clips.groups)


def motion(large: bool) -> Iterator[Row]:
    """All of `diagnose_motion`."""
    yield from _archetypes_of_nothing()
    yield from _planted()
    yield from _forecasts()


def _archetypes_of_nothing() -> Iterator[Row]:
    for size in (32, 256):
        found = []
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)
            scale = np.exp(0.8 * rng.normal(size=(CLIPS, 1, FRAMES)))
            found.append(clustered(clips_of(rng.normal(size=(CLIPS, DIM, FRAMES)) * scale, seed), size, seed))
        held = {n: sum(holds(getattr(e, n)) for e in found) for n in ("excess", "uniform_excess", "transfer")}
        yield Row(
            f"{size} archetypes of independent frames of log-normal scale",
            f"tightness {np.mean([e.tightness.value for e in found]):.3f}; 0 in the interval of the excess over "
            f"shuffled frames {held['excess']}, over uniform directions {held['uniform_excess']}, of the transfer "
            f"{held['transfer']} of {SEEDS}",
            f">= {SEEDS - 1} each",
            min(held.values()) >= SEEDS - 1,
        )


def _planted() -> Iterator[Row]:
    walk = ArchetypeWalk(DIM, switch=0.1, cosine=0.9)
    found, correlations, nulls = [], [], []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        drawn = [walk.sample(FRAMES, rng) for _ in range(CLIPS)]
        clips = clips_of((latents for latents, _ in drawn), seed)
        found.append(clustered(clips, 2 * DIM, seed))
        level = (walk.toggled(state) for _, state in drawn)
        sound = {key: np.stack((0 * on, -20.0 - 10 * on, 0 * on)) for key, on in zip(clips.keys, level, strict=True)}
        steps, mixed, label = Steps.of(clips), Steps.of(clips.shuffled(seed)), np.concatenate([s for _, s in drawn])
        correlations.append(acoustic_changes(steps, label, clips.keys, clips.groups, sound)["energy"])
        other = np.abs(mixed.direction).argmax(1)
        nulls.append(acoustic_changes(mixed, other, clips.keys, clips.groups, sound)["energy"])
    low = min(e.uniform_excess.low for e in found), min(e.excess.low for e in found)
    held = sum(holds(e.transfer) for e in found)
    yield Row(
        f"{2 * DIM} planted archetypes, cosine 0.9, the same for all speakers",
        f"tightness {np.mean([e.tightness.value for e in found]):.3f}, at least {low[0]:.2f} above uniform and "
        f"{low[1]:.2f} above shuffled frames (lower ends); 0 in the interval of the transfer {held} of {SEEDS}",
        f"<= 0.9, >= 0.1, > 0, >= {SEEDS - 1}",
        max(e.tightness.value for e in found) <= 0.91 and low[0] >= 0.1 and low[1] > 0 and held >= SEEDS - 1,
    )
    truth, mean = walk.toggle_correlation, float(np.mean([e.value for e in correlations]))
    held = sum(holds(e, truth) for e in correlations), sum(holds(e) for e in nulls)
    yield Row(
        f"a level that changes with the archetype: correlation, truth {truth:.3f}",
        f"mean {mean:.3f}, in the interval {held[0]}; in random order 0 in the interval {held[1]} of {SEEDS}",
        f"within 0.02, >= {SEEDS - 1} each",
        abs(mean - truth) <= 0.02 and min(held) >= SEEDS - 1,
    )


def _forecasts() -> Iterator[Row]:
    decay, dim = float(np.exp(-1 / (25 * 0.15))), 8
    processes = [clips_of(ornstein_uhlenbeck(dim, 0.15, 25.0, CLIPS, 8, seed), seed) for seed in range(SEEDS)]
    found = [rollout(clips, 1, seed=seed) for seed, clips in enumerate(processes)]
    nothing = [rollout(clips.shuffled(seed + 70), 1, seed=seed) for seed, clips in enumerate(processes)]
    for i, steps in enumerate(STEPS):
        truth = ornstein_uhlenbeck_forecast(dim, decay, steps)
        off = {n: abs(float(np.mean([e[i].value[n].value for e in found])) - truth[n]) for n in MEASURES}
        held = {n: sum(holds(e[i].excess[n]) for e in nothing) for n in MEASURES}
        shown = ", ".join(f"{n} {truth[n]:.3f} off by {off[n]:.3f}" for n in MEASURES)
        yield Row(
            f"Ornstein-Uhlenbeck, D = {dim}, {steps} frames ahead, mean of {SEEDS}",
            f"{shown}; excess in random order holds 0 at least {min(held.values())} of {SEEDS}",
            f"within 0.015, >= {SEEDS - 1}",
            max(off.values()) <= 0.015 and min(held.values()) >= SEEDS - 1,
        )
