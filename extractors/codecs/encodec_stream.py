"""EnCodec's causal encoder over successive pieces, with the numbers of one pass over the whole.

The convolutions before the LSTM look back 478 samples, so a piece that reads two frames more than it keeps is exact;
the LSTM hands its state on; the last convolution gets the six frames that it looks back at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..coding.windows import AudioReader, spans

if TYPE_CHECKING:
    import torch

FRAME = 320
LOOK_BACK = 2 * FRAME
BLOCK = 150 * FRAME
"""Samples per pass: two seconds stay in the processor's cache, 1.7 times faster than 15 s at once."""


def encode(model: Any, audio: AudioReader, total: int, block: int = BLOCK) -> Iterator[tuple[int, int, torch.Tensor]]:
    """(start, end, latents `[B, 128, frames]`) per piece of at least `block` samples, unless it is the only one."""
    import torch

    layers = list(model.encoder.model)
    recurrent = next(index for index, layer in enumerate(layers) if hasattr(layer, "lstm"))
    head, memory = torch.nn.Sequential(*layers[:recurrent]), layers[recurrent]
    activation, last = layers[recurrent + 1 :]
    look_back = last.conv.conv.kernel_size[0] - 1
    state, previous = None, None
    for start, end in spans(total, block):
        begin = max(0, start - LOOK_BACK)
        hidden = head(audio(begin, end))[..., (start - begin) // FRAME :]
        # SLSTM.forward, with the state handed on
        steps = hidden.permute(2, 0, 1)
        out, state = memory.lstm(steps, state)
        hidden = activation((out + steps if memory.skip else out).permute(1, 2, 0))
        if previous is None:
            latents = last(hidden)
        else:
            latents = last.conv(torch.cat([previous, hidden], -1))
        previous = hidden[..., -look_back:].clone()
        yield start, end, latents
