"""Adam (Kingma & Ba 2015): importing `torch.optim` imports a compiler, which takes longer than a small training."""

from __future__ import annotations

from collections.abc import Iterable

import torch


class Adam:
    """Updates parameters in place; the rate is given at each step."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        self._parameters = [p for p in parameters if p.requires_grad]
        self._mean = [torch.zeros_like(p) for p in self._parameters]
        self._square = [torch.zeros_like(p) for p in self._parameters]
        self._steps = 0

    def step(self, rate: float) -> None:
        """One update from the gradients, which are then forgotten."""
        self._steps += 1
        first, second = 1 - 0.9**self._steps, 1 - 0.999**self._steps
        with torch.no_grad():
            for p, mean, square in zip(self._parameters, self._mean, self._square, strict=True):
                if p.grad is None:
                    continue
                mean.lerp_(p.grad, 0.1)
                square.lerp_(p.grad**2, 0.001)
                p.addcdiv_(mean / first, (square / second).sqrt() + 1e-8, value=-rate)
                p.grad = None
