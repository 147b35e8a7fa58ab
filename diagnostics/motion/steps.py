"""Directions of the steps between frames, in coordinates where they point no way more than another.

The coordinates are those of Tyler's scatter matrix (Tyler 1987), which looks at directions only. The covariance of the
steps would be that of the longest ones, and the others would seem to cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..latents.gaussian_predictor import whitener
from .clips import Clips

_ROUNDS = 5
"""Of Tyler's fixed point, after the covariance."""


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Steps of all clips, one after another; those of no length are left out."""

    direction: np.ndarray
    """`[N, R]` float32 of unit length; R directions carry variance."""
    clip: np.ndarray
    """`[N]`"""
    position: np.ndarray
    """`[N]` the frame of its clip that the step starts from."""

    def apart(self) -> Steps:
        """Every other step: no two of them share a frame."""
        used = self.position % 2 == 0
        return Steps(self.direction[used], self.clip[used], self.position[used])

    @classmethod
    def of(cls, clips: Clips) -> Steps:
        """Raises ValueError where nothing moves."""
        steps = np.concatenate([np.diff(each, axis=0) for each in clips.frames]).astype(np.float64)
        lengths = [each.shape[0] - 1 for each in clips.frames]
        clip = np.repeat(np.arange(len(lengths)), lengths)
        position = np.concatenate([np.arange(length) for length in lengths])
        white = steps - steps.mean(0)
        moving = np.linalg.norm(steps, axis=1) > 0
        for turn in range(1 + _ROUNDS):
            seen = white if turn == 0 else white[moving]
            white = white @ whitener(seen.T @ seen / max(len(seen), 1)).T
            size = np.linalg.norm(white, axis=1)
            moving &= size > 0
            white[moving] /= size[moving, None]
        return cls(white[moving].astype(np.float32), clip[moving], position[moving])

    def uniform(self, seed: int) -> Steps:
        """As many, in directions without any structure."""
        found = np.random.default_rng(seed).normal(size=self.direction.shape).astype(np.float32)
        return Steps(found / np.linalg.norm(found, axis=1, keepdims=True), self.clip, self.position)
