"""Finite scalar quantisation (Mentzer et al., "Finite Scalar Quantization: VQ-VAE Made Simple", 2023), residual.

A codebook is a grid: the latent is projected to a few scalars, each bounded by tanh and rounded to one of a few
levels, and the index counts through the grid. Nothing is learned in the codebook itself, so no entry can die for
want of updates. Several codebooks quantise what the earlier ones left over, each at its own scale.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

THRESHOLD = 0.82
"""What one standard deviation is scaled to before tanh: four levels then part a Gaussian at 0.98 deviations, as the
quantiser of least error does (Max, "Quantizing for Minimum Distortion", 1960)."""


class Fsq(nn.Module):
    """One grid of `prod(levels)` entries over `len(levels)` scalars."""

    levels: torch.Tensor
    strides: torch.Tensor

    def __init__(self, levels: tuple[int, ...]) -> None:
        super().__init__()
        if not levels or min(levels) < 2:
            raise ValueError(f"FSQ needs at least two levels per scalar, found {levels}")
        strides = [math.prod(levels[:i]) for i in range(len(levels))]
        self.register_buffer("levels", torch.tensor(levels, dtype=torch.float32), persistent=False)
        self.register_buffer("strides", torch.tensor(strides, dtype=torch.int64), persistent=False)

    def bound(self, x: torch.Tensor) -> torch.Tensor:
        """`[..., d]` reals to [0, levels - 1], level spacing 1."""
        return (torch.tanh(x) + 1) / 2 * (self.levels - 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """`[..., d]` to grid values in [-1, 1] of the same shape (straight-through) and indices `[...]` int64."""
        bounded = self.bound(x)
        rounded = torch.round(bounded)
        index = (rounded.detach().long() * self.strides).sum(-1)
        # straight-through: the value is rounded, the gradient is that of the bounded value
        value = bounded + (rounded - bounded).detach()
        return value / (self.levels - 1) * 2 - 1, index

    def values(self, index: torch.Tensor) -> torch.Tensor:
        """Indices `[...]` to grid values `[..., d]`."""
        digits = (index[..., None] // self.strides) % self.levels.long()
        return digits / (self.levels - 1) * 2 - 1


class ResidualFsq(nn.Module):
    """K grids in a row, with the interface of encodec's `ResidualVectorQuantization`."""

    def __init__(self, dimension: int, num_codebooks: int, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.grid = Fsq(levels)
        self.project_in = nn.ModuleList(nn.Linear(dimension, len(levels)) for _ in range(num_codebooks))
        self.project_out = nn.ModuleList(nn.Linear(len(levels), dimension) for _ in range(num_codebooks))

    @torch.no_grad()
    def start(self, latents: torch.Tensor) -> None:
        """Set the projections from `latents` `[N, D]`, as k-means starts the codebooks of an RVQ.

        Each grid takes the principal components of what the earlier ones left; least squares map it back.
        """
        residual = latents
        stages: Any = zip(self.project_in, self.project_out, strict=True)
        for project_in, project_out in stages:
            mean = residual.mean(0)
            values, vectors = torch.linalg.eigh(torch.cov(residual.double().T))
            count = len(self.grid.levels)
            deviation = values[-count:].clamp(min=1e-12).sqrt().float()
            weight = THRESHOLD * vectors[:, -count:].T.float() / deviation[:, None]
            project_in.weight.copy_(weight)
            project_in.bias.copy_(-weight @ mean)
            grid, _ = self.grid(project_in(residual))
            design = torch.cat([grid, torch.ones(len(grid), 1)], dim=1).double()
            solution = torch.linalg.lstsq(design, residual.double()).solution.float()
            project_out.weight.copy_(solution[:-1].T)
            project_out.bias.copy_(solution[-1])
            residual = residual - project_out(grid)

    def forward(self, x: torch.Tensor, n_q: int | None = None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Latent `[B, D, T]` to its quantised value, indices `[K, B, T]`, and each stage's residual energy `[K]`."""
        residual = x.transpose(1, 2)
        total = torch.zeros_like(residual)
        indices, losses = [], []
        for project_in, project_out in list(zip(self.project_in, self.project_out, strict=True))[:n_q]:
            values, index = self.grid(project_in(residual))
            step = project_out(values)
            residual = residual - step
            total = total + step
            indices.append(index)
            losses.append(residual.pow(2).mean())
        return total.transpose(1, 2), torch.stack(indices), torch.stack(losses)

    def encode(self, x: torch.Tensor, n_q: int | None = None) -> torch.Tensor:
        """Latent `[B, D, T]` to indices `[K, B, T]`."""
        return self(x, n_q=n_q)[1]

    def decode(self, indices: torch.Tensor) -> torch.Tensor:
        """Indices `[K, B, T]` to latent `[B, D, T]`."""
        steps = [out(self.grid.values(index)) for index, out in zip(indices, self.project_out, strict=False)]
        return torch.stack(steps).sum(0).transpose(1, 2)
