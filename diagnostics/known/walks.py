"""Walks whose steps are known: what the measures of motion are held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class ArchetypeWalk:
    """Steps around 2 D archetypes, the directions of the axes and their opposites; each lasts for some steps.

    With probability `switch` the next step has another archetype than the one before. A step turns away from its
    archetype by the same angle always, to any side: its cosine is `cosine`.
    """

    dim: int
    switch: float
    cosine: float

    def sample(self, length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Latents `[D, length]` and the archetype of each step, `[length - 1]`."""
        switched = rng.random(length - 1) < self.switch
        moves = rng.integers(1, 2 * self.dim, length - 1)
        state = (rng.integers(2 * self.dim) + np.cumsum(np.where(switched, moves, 0))) % (2 * self.dim)
        axis, side = state % self.dim, np.where(state < self.dim, 1.0, -1.0)
        aside = rng.normal(size=(length - 1, self.dim))
        aside[np.arange(length - 1), axis] = 0
        steps = np.sqrt(1 - self.cosine**2) * aside / np.linalg.norm(aside, axis=1, keepdims=True)
        steps[np.arange(length - 1), axis] = self.cosine * side
        steps *= np.exp(0.5 * rng.normal(size=(length - 1, 1)))
        return np.concatenate((np.zeros((1, self.dim)), np.cumsum(steps, axis=0))).T, state

    def toggled(self, state: np.ndarray) -> np.ndarray:
        """`[length]` of 0 and 1: what is toggled by every change of archetype, at the frame after it."""
        changed = np.concatenate(([0, 0], np.cumsum(state[1:] != state[:-1])))
        return changed % 2

    @property
    def toggle_correlation(self) -> float:
        """Of a change of archetype between two steps with a change of `toggled` from the frame before to the one after.

        That frame sees a change of either of two steps, but not of both.
        """
        seen = 2 * self.switch * (1 - self.switch)
        together = self.switch * (1 - self.switch) - self.switch * seen
        return together / float(np.sqrt(self.switch * (1 - self.switch) * seen * (1 - seen)))
