"""Sample-rate conversion by one named kernel, the same bits whether a recording is read whole or in pieces.

`sinc-kaiser-64/1`: a sinc low-pass under a Kaiser window, with the parameters that torchaudio documents as
"kaiser best" (64 zero crossings, roll-off 0.9476, beta 14.77). Work is done in blocks of one second with a fixed
shape, so an output sample depends on the samples under its kernel and on nothing else: not on the length of the
recording, not on where a window starts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ...schemas.time import resampled_length

if TYPE_CHECKING:
    import torch

KERNEL = "sinc-kaiser-64/1"
ZERO_CROSSINGS = 64
ROLLOFF = 0.9475937167399596
BETA = 14.769656459379492
MIN_COLUMNS = 64
TABLE_VALUES = 1 << 24
"""Largest table of taps that is kept, values. Beyond it (rates with almost no common factor, such as 44101 Hz) the
taps of each block are computed where they are needed: same kernel, at about the speed of real time."""

Reader = Callable[[int, int], np.ndarray]
"""Samples [start, end) of a recording as `[C, end - start]` float32."""


def resample(waveform: np.ndarray, source_rate: int, target_rate: int) -> np.ndarray:
    """`waveform` `[C, T]` float32 at `source_rate` Hz as `[C, ceil(T * target / source)]` float32 at `target_rate` Hz.

    Equal rates return the samples unchanged.
    """
    num_samples = waveform.shape[1]
    end = resampled_length(num_samples, source_rate, target_rate)
    return resample_span(lambda a, b: waveform[:, a:b], num_samples, source_rate, target_rate, 0, end)


def resample_span(
    read: Reader, num_samples: int, source_rate: int, target_rate: int, start: int, end: int
) -> np.ndarray:
    """Samples [start, end), counted at `target_rate`, of a recording: `[C, end - start]` float32.

    read, num_samples: the recording at `source_rate`. Bit for bit the samples that `resample` gives for the whole
    recording; reads only what they need.
    """
    if source_rate == target_rate:
        return np.ascontiguousarray(read(start, end), dtype=np.float32)
    import torch

    common = math.gcd(source_rate, target_rate)
    step_in, step_out = source_rate // common, target_rate // common
    width = math.ceil(ZERO_CROSSINGS * step_in / (min(step_in, step_out) * ROLLOFF))
    table = None
    if step_out * (2 * width + step_in) <= TABLE_VALUES:
        # several steps per row of the product: a matrix with three columns would waste the processor
        repeat = max(m for m in range(1, max(MIN_COLUMNS // step_out, 1) + 1) if common % m == 0)
        table = taps(step_in, step_out, width, repeat)
        common, step_in, step_out = common // repeat, step_in * repeat, step_out * repeat
    pieces = []
    with torch.inference_mode():
        # one block is one second: `common` steps, each of step_in samples in and step_out samples out
        for block in range(start // target_rate, -(-end // target_rate)):
            first = block * source_rate - width
            source = torch.from_numpy(_zero_extended(read, num_samples, first, first + source_rate + 2 * width))
            if table is None:
                out = _direct(source, step_in, step_out, width, target_rate)
            else:
                frames = source.unfold(1, 2 * width + step_in, step_in)[:, :common]
                out = torch.matmul(frames.contiguous(), table).reshape(source.shape[0], target_rate)
            low, high = max(start - block * target_rate, 0), min(end - block * target_rate, target_rate)
            pieces.append(out[:, low:high].numpy())
    if not pieces:
        return np.zeros((read(0, 0).shape[0], 0), np.float32)
    return np.concatenate(pieces, axis=1)


@lru_cache(maxsize=4)
def taps(step_in: int, step_out: int, width: int, repeat: int) -> torch.Tensor:
    """The kernel as a matrix `[2 * width + repeat * step_in, repeat * step_out]` float32: one column per output phase.

    step_in, step_out: the two rates without their common factor; repeat: steps side by side. The formula is that of
    torchaudio.functional.resample (sinc_interp_kaiser), evaluated in float64.
    """
    import torch

    offsets = torch.arange(-width, width + step_in * repeat, dtype=torch.float64)[:, None] / step_in
    phases = torch.arange(step_out * repeat, dtype=torch.float64)[None, :] / step_out
    base = min(step_in, step_out) * ROLLOFF
    return (_kernel((offsets - phases) * base) * (base / step_in)).to(torch.float32).contiguous()


def _kernel(t: torch.Tensor) -> torch.Tensor:
    """Windowed sinc at `t` zero crossings from the centre, float64."""
    import torch

    t = t.clamp(-ZERO_CROSSINGS, ZERO_CROSSINGS)
    ratio = torch.sqrt(1 - (t / ZERO_CROSSINGS) ** 2)
    window = torch.special.i0(BETA * ratio) / torch.special.i0(torch.tensor(BETA, dtype=torch.float64))
    return torch.sinc(t) * window


def _direct(source: torch.Tensor, step_in: int, step_out: int, width: int, target_rate: int) -> torch.Tensor:
    """One block without a table: source `[C, source_rate + 2 * width]`, whose sample `width` is time 0."""
    import torch

    base = min(step_in, step_out) * ROLLOFF
    out = torch.empty((source.shape[0], target_rate), dtype=torch.float32)
    reach = torch.arange(-width, width + 1)
    chunk = 2000
    for low in range(0, target_rate, chunk):
        n = torch.arange(low, min(low + chunk, target_rate))
        nearest = (n * step_in) // step_out
        # distance in units of step_in samples, kept as a ratio of integers so that no phase drifts
        distance = (reach[None, :] * step_out - (n * step_in - nearest * step_out)[:, None]).double()
        weights = _kernel(distance * (base / (step_in * step_out))) * (base / step_in)
        values = source[:, nearest[:, None] + reach[None, :] + width].double()
        out[:, low : low + len(n)] = (values * weights).sum(-1).float()
    return out


def _zero_extended(read: Reader, num_samples: int, start: int, end: int) -> np.ndarray:
    """`read(start, end)` with silence outside the recording."""
    low, high = min(max(start, 0), num_samples), max(min(end, num_samples), 0)
    inside = np.asarray(read(low, max(low, high)), dtype=np.float32)
    out = np.zeros((inside.shape[0], end - start), np.float32)
    out[:, low - start : low - start + inside.shape[1]] = inside
    return out
