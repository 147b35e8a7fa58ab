"""EnCodec 24 kHz (encodec package): codes and latents at 75 Hz, and latents pooled to 25 and 12.5 Hz.

Défossez et al. 2022, High Fidelity Neural Audio Compression. One codebook of 1024 entries is 0.75 kbit/s.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..coding.extraction import NeuralFamily, StreamedExtractor, reader_of
from ..coding.inference import inference
from ..coding.seeded import signal, spread_codebook
from ..coding.views import POOLS, Architecture, View, pooled
from ..coding.weights import Weights, load_into
from ..coding.windows import AudioReader, Window
from .encodec_stream import BLOCK, FRAME, encode

if TYPE_CHECKING:
    import torch

WHOLE = 60 * 24000
POOL = {"pool": POOLS}

ARCHITECTURE = Architecture(
    name="encodec24",
    version=1,
    package="encodec",
    sample_rate=24000,
    channels=1,
    cardinality=1024,
    # the bandwidths that were trained: 1.5, 3, 6, 12 and 24 kbit/s
    codebooks=(2, 4, 8, 16, 32),
    default_codebooks=8,
    modes=("exact", "batched", "bf16"),
    views=(
        View("codes", 75.0, FRAME, codebooks=True),
        View("latents", 75.0, FRAME, rows=128),
        View("latents", 25.0, 3 * FRAME, rows=128, options=POOL),
        View("latents", 12.5, 6 * FRAME, rows=128, options=POOL),
        View("quantized", 75.0, FRAME, rows=128, codebooks=True),
        View("quantized", 25.0, 3 * FRAME, rows=128, codebooks=True, options=POOL),
        View("quantized", 12.5, 6 * FRAME, rows=128, codebooks=True, options=POOL),
    ),
)


class EncodecCodec:
    """A loaded EnCodec 24 kHz. Its tensors equal those of `encodec.EncodecModel` bit for bit."""

    sample_rate = ARCHITECTURE.sample_rate
    frame_rate = 75.0
    frame_size = FRAME
    channels = ARCHITECTURE.channels
    cardinality = ARCHITECTURE.cardinality

    def __init__(self, model: Any, num_codebooks: int, bf16: bool = False) -> None:
        self.model = model
        self.num_codebooks = num_codebooks
        self.bf16 = bf16
        self._block: int | None = None

    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        """`[B, 1, T]` float32 to codes `[B, K, ceil(T / 320)]` int64."""
        return self.quantize(self.encode_to_latent(waveform))

    def encode_to_latent(self, waveform: torch.Tensor) -> torch.Tensor:
        """`[B, 1, T]` float32 to the latent before quantisation, `[B, 128, ceil(T / 320)]` float32."""
        import torch

        return torch.cat([z for _, _, z in self.pieces(reader_of(waveform), waveform.shape[-1])], -1)

    def pieces(self, audio: AudioReader, total: int) -> Iterator[tuple[int, int, torch.Tensor]]:
        """(start, end, latents) of successive pieces of a recording of `total` samples."""
        steps = encode(self.model, audio, total, self.block() if total <= WHOLE else BLOCK)
        while True:
            with half(self.model, self.bf16):
                piece = next(steps, None)
            if piece is None:
                return
            start, end, latents = piece
            yield start, end, latents.float()

    def block(self) -> int:
        """Samples per pass, after checking once that cutting changes no bit on this processor.

        Where it does (torch chooses kernels by instruction set), clips up to a minute are encoded whole.
        """
        import torch

        if self._block is None and (self.bf16 or self._device().type != "cpu"):
            self._block = WHOLE
        if self._block is None:
            probe = reader_of(signal(1, self.sample_rate, 1).repeat(1, 1, 3))
            total = 2 * BLOCK + 7 * FRAME + 100
            with inference():
                cut, whole = (
                    torch.cat([z for _, _, z in encode(self.model, probe, total, size)], -1) for size in (BLOCK, WHOLE)
                )
                self._block = BLOCK if torch.equal(cut, whole) else WHOLE
        return self._block

    def spare_memory(self) -> None:
        """From now on short blocks, on any device."""
        self._block = BLOCK

    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def quantize(self, latents: torch.Tensor) -> torch.Tensor:
        """`[B, 128, T']` to codes `[B, K, T']` int64."""
        return self.model.quantizer.vq.encode(latents, n_q=self.num_codebooks).transpose(0, 1)

    def dequantize(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes `[B, K, T']` to the latent that they stand for, `[B, 128, T']` float32."""
        return self.model.quantizer.decode(codes.transpose(0, 1))

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes `[B, K, T']` to audio `[B, 1, 320 * T']` float32."""
        with inference():
            return self.model.decode([(codes, None)])


class EncodecExtractor(StreamedExtractor):
    """Views of EnCodec 24 kHz from one pass of its encoder."""

    codec: EncodecCodec

    def pieces(self, audio: AudioReader, total: int) -> Iterator[tuple[Window, Mapping[str, torch.Tensor]]]:
        """Views of successive pieces, equal to those of the whole recording."""
        for start, end, latents in self.codec.pieces(audio, total):
            yield Window(start, end, start, end), self._views(latents)

    def _views(self, latents: torch.Tensor) -> dict[str, torch.Tensor]:
        codes = self.codec.quantize(latents) if self.codebooks else None
        out = {}
        for spec in self.specs:
            if spec.kind == "codes" and codes is not None:
                out[spec.name] = codes[:, : spec.rows]
                continue
            values = latents
            if spec.kind == "quantized" and codes is not None:
                values = self.codec.dequantize(codes[:, : int(spec.details["codebooks"])])
            factor = spec.frame_size // FRAME
            out[spec.name] = values if factor == 1 else pooled(values, factor, spec.details["options"]["pool"])
        return out


def half(model: Any, bf16: bool) -> contextlib.AbstractContextManager[Any]:
    """bfloat16 where autocast allows it, on the model's device; nothing unless `bf16`."""
    import torch

    if not bf16:
        return contextlib.nullcontext()
    return torch.autocast(next(model.parameters()).device.type, torch.bfloat16)


def load(weights: Weights, settings: Mapping[str, Any]) -> EncodecCodec:
    """EnCodec 24 kHz with these weights."""
    model = load_model("encodec_model_24khz", weights, settings)
    return EncodecCodec(model, int(settings.get("num_codebooks", 8)), settings.get("mode") == "bf16")


def load_model(constructor: str, weights: Weights, settings: Mapping[str, Any]) -> Any:
    """An upstream `EncodecModel`, weight normalisation folded (same tensors, computed once instead of every call)."""
    import torch

    model = seeded_model(constructor, weights.seed) if weights.seed is not None else empty_model(constructor)
    if weights.seed is None:
        load_into(model, weights)
    if not settings.get("decoder", True):
        model.decoder = torch.nn.Identity()
    for module in model.modules():
        if hasattr(module, "weight_g"):
            torch.nn.utils.remove_weight_norm(module)
    return model.requires_grad_(False).eval().to(settings.get("device", "cpu"))


def empty_model(constructor: str) -> Any:
    """`EncodecModel.<constructor>` without weights."""
    from encodec.model import EncodecModel

    with warnings.catch_warnings():
        # the package uses torch's older weight normalisation, which announces its successor at every layer
        warnings.filterwarnings("ignore", category=FutureWarning, message=r".*weight_norm.* is deprecated")
        return getattr(EncodecModel, constructor)(pretrained=False)


def seeded_model(constructor: str, seed: int) -> Any:
    """An untrained `EncodecModel` whose codebooks cover what its encoder gives for a seeded signal."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = empty_model(constructor)
    generator = torch.Generator().manual_seed(seed)
    with inference():
        audio = signal(seed, model.sample_rate, model.channels)[..., : model.segment_length]
        if model.normalize:
            audio = audio / audio.mean(1, keepdim=True).pow(2).mean(2, keepdim=True).sqrt()
        residual = model.encoder(audio)[0].T
        for layer in model.quantizer.vq.layers:
            book = layer._codebook
            entries = spread_codebook(residual, book.codebook_size, generator)
            book.embed.copy_(entries)
            book.embed_avg.copy_(entries)
            book.cluster_size.fill_(1)
            book.inited.fill_(1)
            residual = residual - entries[torch.cdist(residual[None], entries[None])[0].argmin(-1)]
    return model


FAMILY = NeuralFamily(ARCHITECTURE, load, EncodecExtractor)
