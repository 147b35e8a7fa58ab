"""The settings under which a forward pass gives the same bits every time: one thread, no gradients, full float32."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def inference(exact: bool = True) -> Iterator[None]:
    """Inference mode and, when `exact`, one thread and full float32 products, whatever ran before; put back after.

    Measured on CPU: recording gradients or a second thread changes codes of EnCodec, because other kernels sum in
    another order. A worker that has set one thread already pays nothing here.
    """
    import torch

    if not exact:
        with torch.inference_mode():
            yield
        return
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    if threads != 1:
        torch.set_num_threads(1)
    if precision != "highest":
        torch.set_float32_matmul_precision("highest")
    try:
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            yield
    finally:
        if threads != 1:
            torch.set_num_threads(threads)
        if precision != "highest":
            torch.set_float32_matmul_precision(precision)


def environment() -> dict[str, str]:
    """What bit-identity holds within: torch build, instruction-set class, machine. Recorded beside latents."""
    import torch

    return {
        "torch": torch.__version__,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
    }
