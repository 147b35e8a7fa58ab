"""A density of frames given their past: a mixture of Gaussians whose parameters a small network computes.

Bishop 1994. Each component's mean is linear in the past plus what the network adds, so that a component may be a linear
predictor of its own.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

_NARROWEST, _WIDEST = -7.0, 4.0
"""Logarithm of a component's standard deviation: a repeated frame has no endless density."""
_ITERATIONS = 40
"""Of expectation maximisation."""


class MixtureDensity(nn.Module):
    """log p(x | past) of `[N, R]` frames; without a past it is one mixture for all frames.

    It starts as the mixture of `fit`, whatever the past.
    """

    def __init__(self, dim: int, past: int, *, components: int = 8, hidden: int = 128) -> None:
        """past: numbers that the density depends on; 0 for none."""
        super().__init__()
        self.dim, self.components = dim, components
        outputs = components * (2 * dim + 1)
        self.start = nn.Parameter(torch.zeros(outputs))
        """Logits of the weights, means, logarithms of the standard deviations."""
        self.network = self.linear = None
        if past:
            last = nn.Linear(hidden, outputs)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            self.network = nn.Sequential(nn.Linear(past, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), last)
            self.linear = nn.Linear(past, components * dim, bias=False)
            nn.init.zeros_(self.linear.weight)

    def fit(self, frames: np.ndarray, rng: np.random.Generator) -> None:
        """Start from the mixture of frames `[N, R]` that expectation maximisation finds (Dempster et al. 1977).

        Without it, what a network gains over a mixture would be how much faster it learns.
        """
        share = rng.dirichlet(np.ones(self.components), frames.shape[0])
        squares = frames**2
        for _ in range(_ITERATIONS):
            size = share.sum(0) + 1e-6
            mean = share.T @ frames / size[:, None]
            variance = np.maximum(share.T @ squares / size[:, None] - mean**2, np.exp(2 * _NARROWEST)) + 1e-6
            weight = np.log(size / size.sum())
            each = weight - (squares @ (1 / variance).T - 2 * frames @ (mean / variance).T) / 2
            each -= (mean**2 / variance + np.log(variance)).sum(1) / 2
            share = np.exp(each - each.max(1, keepdims=True))
            share /= share.sum(1, keepdims=True)
        found = np.concatenate((weight, mean.ravel(), np.log(variance).ravel() / 2))
        with torch.no_grad():
            self.start.copy_(torch.from_numpy(found))

    def log_density(self, frames: torch.Tensor, past: torch.Tensor | None = None) -> torch.Tensor:
        """`[N]` nats; frames `[N, R]`, past `[N, past]`."""
        made = self.start.expand(frames.shape[0], -1)
        if self.network is not None and self.linear is not None and past is not None:
            made = made + self.network(past)
        weight, mean, scale = made.split((self.components, *(2 * (self.components * self.dim,))), dim=1)
        if self.linear is not None and past is not None:
            mean = mean + self.linear(past)
        shape = (frames.shape[0], self.components, self.dim)
        scale = scale.reshape(shape).clamp(_NARROWEST, _WIDEST)
        apart = (frames[:, None] - mean.reshape(shape)) * torch.exp(-scale)
        each = -(apart**2).sum(2) / 2 - scale.sum(2) - self.dim / 2 * float(np.log(2 * np.pi))
        return torch.logsumexp(each + torch.log_softmax(weight, 1), 1)
