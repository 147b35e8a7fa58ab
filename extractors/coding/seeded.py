"""Untrained weights from a seed: real shapes and real arithmetic, codes that mean nothing.

As the packages build them, codebooks are all zero and every code is 0. Here each codebook is spread over the
residuals that a seeded signal leaves at its place in the chain, so that codes vary and rounding matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SIGNAL_S = 2.0


def signal(seed: int, sample_rate: int, channels: int) -> torch.Tensor:
    """`[1, C, T]` float32 within [-1, 1]: two seconds of noise bursts over gliding harmonics."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(int(SIGNAL_S * sample_rate)) / sample_rate
    phase = 2 * torch.pi * (110 * time + 40 * time**2)
    voiced = sum(torch.sin(k * phase) / k for k in range(1, 9))
    gate = (torch.sin(2 * torch.pi * 3 * time) > 0).float()
    noise = torch.randn(channels, time.shape[0], generator=generator)
    return (0.1 * voiced * gate + 0.05 * noise * (1 - 0.8 * gate))[None]


def spread_codebook(residual: torch.Tensor, entries: int, generator: torch.Generator) -> torch.Tensor:
    """`[entries, D]` vectors with the mean and deviation, per dimension, of `residual` `[N, D]`."""
    import torch

    mean, deviation = residual.mean(0), residual.std(0, unbiased=False).clamp_min(1e-6)
    noise = torch.randn(entries, residual.shape[1], generator=generator)
    return mean + deviation * noise
