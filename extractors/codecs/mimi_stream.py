"""Mimi's encoder over successive pieces, with the numbers of one pass over the whole.

The convolutions look back 3320 samples, so a piece that reads two frames more than it keeps is exact. The transformer
looks back 250 frames through each of its eight layers, 80 s in all, too far for overlapping windows: it carries its
keys and values instead. Pieces of 512 frames are those in which torch's attention walks through the keys, so that
even the order of its sums is that of the whole (moshi's own streaming overwrites keys that are still needed).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..coding.windows import AudioReader, spans

if TYPE_CHECKING:
    import torch

FRAME = 1920
ENCODER_HOP = 960
LOOK_BACK = 2 * FRAME
BLOCK = 25 * FRAME
"""Samples per pass of the convolutions: two seconds stay in the cache, 1.6 times faster than 15 s at once."""
KEYS = 512
"""Key block of torch's attention on CPU, in frames of 25 Hz."""


def encode(
    model: Any, audio: AudioReader, total: int, layers: frozenset[int], block: int = BLOCK
) -> Iterator[tuple[int, int, dict[str, torch.Tensor]]]:
    """(start, end, tensors) per piece of 20 to 41 s: samples, and `[B, D, frames]` of `trace`'s names.

    total: samples at 24 kHz; the last frame is filled with silence, as upstream does.
    """
    frames = -(-total // FRAME)
    pieces = spans(frames, KEYS // 2)
    tail = Carried(model) if len(pieces) > 1 else None
    for first, last in pieces:
        out = convolve(model, audio, first * FRAME, last * FRAME, layers, block)
        if tail is None:
            (out["latents25"],) = model.encoder_transformer(out.pop("hidden"))
            out["latents"] = model.downsample(out["latents25"])
        else:
            out["latents25"], out["latents"] = tail.push(out.pop("hidden"))
        yield first * FRAME, min(last * FRAME, total), out


def convolve(
    model: Any, audio: AudioReader, start: int, end: int, layers: frozenset[int], block: int
) -> dict[str, torch.Tensor]:
    """`hidden` at 25 Hz and `seanet<i>` for `layers`, of samples [start, end), both multiples of 1920."""
    import torch

    parts: dict[str, list[torch.Tensor]] = {}
    for low, high in spans(end - start, block):
        begin = max(0, start + low - LOOK_BACK)
        hidden = audio(begin, start + high)
        read, skip = hidden.shape[-1], start + low - begin
        for index, layer in enumerate(model.encoder.model):
            hidden = layer(hidden)
            if index in layers:
                parts.setdefault(f"seanet{index}", []).append(hidden[..., skip // (read // hidden.shape[-1]) :])
        parts.setdefault("hidden", []).append(hidden[..., skip // ENCODER_HOP :])
    return {name: torch.cat(tensors, -1) for name, tensors in parts.items()}


class Carried:
    """The transformer and the last halving, remembering what the next piece looks back at."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.state: dict[str, Any] | None = None
        self.last: torch.Tensor | None = None

    def push(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """`[B, 512, T]` at 25 Hz, T even, to (`[B, 512, T]` at 25 Hz, `[B, 512, T / 2]` at 12.5 Hz)."""
        import torch

        transformer = self.model.encoder_transformer
        state = self.state = self.state or self._start(hidden.shape[0])
        transformer.set_streaming_state(state)
        try:
            (out,) = transformer(hidden)
        finally:
            transformer.set_streaming_state(dict.fromkeys(state))
        if self.last is None:
            latents = self.model.downsample(out)
        else:
            latents = self.model.downsample.conv.conv(torch.cat([self.last, out], -1))
        self.last = out[..., -2:].clone()
        return out, latents

    def _start(self, batch_size: int) -> dict[str, Any]:
        """moshi's own streaming state, with keys kept as long as they are looked at."""
        transformer = self.model.encoder_transformer
        with transformer.streaming(batch_size):
            started = transformer.get_streaming_state()
        for name, state in started.items():
            if hasattr(state, "kv_cache"):
                state.kv_cache = SlidingKeys(transformer.get_submodule(name).context)
        return started


class SlidingKeys:
    """Keys and values of one layer in order of time, from the last multiple of 512 that a query still looks back to."""

    def __init__(self, context: int) -> None:
        self.context = context
        self.start = 0
        self.kept: tuple[torch.Tensor, torch.Tensor] | None = None

    def complete(self, k: torch.Tensor, v: torch.Tensor, exec_mask: torch.Tensor) -> Any:
        """`[B, H, T, D]` new keys and values to all that this piece attends to, with their positions."""
        import torch
        from moshi.modules.transformer import KVCacheResult

        start = self.start
        if self.kept is not None:
            k, v = torch.cat([self.kept[0], k], 2), torch.cat([self.kept[1], v], 2)
        end = start + k.shape[2]
        self.start = max(end - self.context + 1, 0) // KEYS * KEYS
        self.kept = (k[:, :, self.start - start :].clone(), v[:, :, self.start - start :].clone())
        positions = torch.arange(start, end, device=k.device)
        return KVCacheResult(k, v, positions.expand(k.shape[0], -1))

    def reset(self, reset_mask: torch.Tensor) -> None:
        """Forget everything."""
        self.start, self.kept = 0, None
