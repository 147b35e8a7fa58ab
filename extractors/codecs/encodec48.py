"""EnCodec 48 kHz stereo (encodec package): one-second segments with 1 % overlap, each scaled to unit volume.

The network is not causal and normalises over the segment, so silence added to a segment changes all of it: nothing is
ever padded, and frames are kept as upstream gives them, the overlapping ones of neighbouring segments included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..coding.extraction import CodecExtractor, NeuralFamily
from ..coding.inference import inference
from ..coding.views import Architecture, View
from ..coding.weights import Weights
from ..coding.windows import AudioReader, Window
from .encodec import half, load_model

if TYPE_CHECKING:
    import torch

FRAME = 320
SEGMENT = 48000
STRIDE = 47520
SEGMENT_FRAMES = SEGMENT // FRAME
SEGMENTS = {"segment_samples": SEGMENT, "segment_stride": STRIDE}

ARCHITECTURE = Architecture(
    name="encodec48",
    version=1,
    package="encodec",
    sample_rate=48000,
    channels=2,
    cardinality=1024,
    # 3, 6, 12 and 24 kbit/s at 1.5 kbit/s per codebook
    codebooks=(2, 4, 8, 16),
    default_codebooks=4,
    modes=("exact", "batched", "bf16"),
    policy=SEGMENTS,
    views=(
        View("codes", 150.0, FRAME, codebooks=True, details=SEGMENTS),
        View("latents", 150.0, FRAME, rows=128, details=SEGMENTS),
        View("quantized", 150.0, FRAME, rows=128, codebooks=True, details=SEGMENTS),
        # the volume that each segment was divided by; decoding at the original loudness needs it
        View("scales", SEGMENT / STRIDE, STRIDE, rows=1, details={**SEGMENTS, "frames_per_segment": 1}),
    ),
)


class Encodec48Codec:
    """A loaded EnCodec 48 kHz. Frames of successive segments follow each other on the last axis."""

    sample_rate = ARCHITECTURE.sample_rate
    frame_rate = 150.0
    frame_size = FRAME
    channels = ARCHITECTURE.channels
    cardinality = ARCHITECTURE.cardinality

    def __init__(self, model: Any, num_codebooks: int, bf16: bool = False) -> None:
        self.model = model
        self.num_codebooks = num_codebooks
        self.bf16 = bf16

    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        """`[B, 2, T]` float32 to codes `[B, K, frames]` int64, all segments."""
        return self.quantize(self.encode_to_latent(waveform))

    def encode_to_latent(self, waveform: torch.Tensor) -> torch.Tensor:
        """`[B, 2, T]` float32 to the latent before quantisation, `[B, 128, frames]` float32, all segments."""
        import torch

        starts = range(0, waveform.shape[-1], STRIDE)
        return torch.cat([self.encode_segment(waveform[..., s : s + SEGMENT])[0] for s in starts], -1)

    def encode_segment(self, waveform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Up to one second `[B, 2, T]` to (latent `[B, 128, ceil(T / 320)]`, scale `[B, 1, 1]`)."""
        # EncodecModel._encode_frame, up to its quantiser
        volume = waveform.mean(dim=1, keepdim=True).pow(2).mean(dim=2, keepdim=True).sqrt()
        scale = 1e-8 + volume
        with half(self.model, self.bf16):
            return self.model.encoder(waveform / scale).float(), scale

    def quantize(self, latents: torch.Tensor) -> torch.Tensor:
        """`[B, 128, T']` to codes `[B, K, T']` int64."""
        return self.model.quantizer.vq.encode(latents, n_q=self.num_codebooks).transpose(0, 1)

    def dequantize(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes `[B, K, T']` to the latent that they stand for, `[B, 128, T']` float32."""
        return self.model.quantizer.decode(codes.transpose(0, 1))

    def decode(self, codes: torch.Tensor, scales: torch.Tensor | None = None) -> torch.Tensor:
        """Codes `[B, K, frames]` of all segments to audio `[B, 2, T]` float32.

        scales: `[B, 1, segments]`, the `scales` view; without it every segment has unit volume.
        """
        with inference():
            parts = codes.split(segment_frames(codes.shape[-1]), -1)
            volumes = scales.unbind(-1) if scales is not None else [None] * len(parts)
            return self.model.decode(list(zip(parts, volumes, strict=True)))


class Encodec48Extractor(CodecExtractor):
    """Views of EnCodec 48 kHz, one segment after the other: any length in the memory of a second."""

    codec: Encodec48Codec
    pads = False

    def cut(self, audio: torch.Tensor) -> list[torch.Tensor]:
        """Upstream's segments of `[2, T]`: equal ones share a batch, the last is alone."""
        return [audio[..., start : start + SEGMENT] for start in range(0, audio.shape[-1], STRIDE)]

    def pieces(self, audio: AudioReader, total: int) -> Iterator[tuple[Window, Mapping[str, torch.Tensor]]]:
        """Views of upstream's segments over `total` samples."""
        for start in range(0, total, STRIDE):
            end = min(start + SEGMENT, total)
            yield Window(start, end, start, end, is_segment=True), self.encode_views(audio(start, end))

    def encode_views(self, audio: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """One segment `[B, 2, T]` float32 at 48 kHz to `[B, rows, frames]` per representation name."""
        latents, scale = self.codec.encode_segment(audio)
        codes = self.codec.quantize(latents) if self.codebooks else None
        out = {}
        for spec in self.specs:
            if spec.kind == "codes" and codes is not None:
                out[spec.name] = codes[:, : spec.rows]
            elif spec.kind == "quantized" and codes is not None:
                out[spec.name] = self.codec.dequantize(codes[:, : int(spec.details["codebooks"])])
            else:
                out[spec.name] = scale if spec.kind == "scales" else latents
        return out


def segment_frames(total: int) -> list[int]:
    """Frames of each segment, from their sum alone.

    All but the last two segments are full. A last segment of fewer than 480 samples leaves its neighbour short by
    up to one frame, which happens exactly when 150 frames remain: then they are 149 and 1.
    """
    counts = []
    while total > SEGMENT_FRAMES:
        counts.append(SEGMENT_FRAMES)
        total -= SEGMENT_FRAMES
    return counts + ([SEGMENT_FRAMES - 1, 1] if total == SEGMENT_FRAMES else [total])


def load(weights: Weights, settings: Mapping[str, Any]) -> Encodec48Codec:
    """EnCodec 48 kHz with these weights."""
    model = load_model("encodec_model_48khz", weights, settings)
    return Encodec48Codec(model, int(settings.get("num_codebooks", 4)), settings.get("mode") == "bf16")


FAMILY = NeuralFamily(ARCHITECTURE, load, Encodec48Extractor)
