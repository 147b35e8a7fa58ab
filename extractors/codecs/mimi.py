"""Mimi (moshi package): codes at 12.5 Hz and what the network holds at 12.5, 25, 50 and 200 Hz.

Signal path at 24 kHz: SEANet to 25 Hz, a causal transformer over 10 s at 25 Hz, one learnt halving to 12.5 Hz, then
a split residual quantiser (one semantic codebook, the rest acoustic). Défossez et al. 2024, Moshi, section 3.3.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..coding.extraction import NeuralFamily, StreamedExtractor, reader_of
from ..coding.inference import inference
from ..coding.seeded import signal, spread_codebook
from ..coding.views import Architecture, View
from ..coding.weights import Weights, load_into
from ..coding.windows import AudioReader, Window
from .mimi_stream import BLOCK, FRAME, convolve, encode

if TYPE_CHECKING:
    import torch

SHIFTS = (480, 960, 1440)
WHOLE = 60 * 24000

ARCHITECTURE = Architecture(
    name="mimi",
    version=1,
    package="moshi",
    sample_rate=24000,
    channels=1,
    cardinality=2048,
    codebooks=tuple(range(1, 33)),
    default_codebooks=8,
    modes=("exact", "batched", "bf16"),
    views=(
        View("codes", 12.5, FRAME, codebooks=True),
        View("latents", 12.5, FRAME, rows=512),
        View("latents", 25.0, FRAME // 2, rows=512),
        View("quantized", 12.5, FRAME, rows=512, codebooks=True),
        # outputs of single SEANet layers: 14 is its last, 12 and 9 follow a strided convolution, 10 a residual block
        View("seanet", 25.0, FRAME // 2, options={"layer": (14, 12)}, rows_by=("layer", {14: 512, 12: 1024})),
        View("seanet", 200.0, FRAME // 16, rows=512, options={"layer": (10, 9)}),
        # not a rate of the network: four encodes of the audio shifted by a quarter frame, interleaved
        View("latents-pseudo", 50.0, FRAME // 4, rows=512, details={"pseudo": True}),
    ),
)


class MimiCodec:
    """A loaded Mimi. Its tensors equal those of `moshi.models.MimiModel` bit for bit."""

    sample_rate = ARCHITECTURE.sample_rate
    frame_rate = 12.5
    frame_size = FRAME
    channels = ARCHITECTURE.channels
    cardinality = ARCHITECTURE.cardinality

    def __init__(self, model: Any, num_codebooks: int, bf16: bool = False) -> None:
        self.model = model
        self.num_codebooks = num_codebooks
        self.bf16 = bf16
        self._block: int | None = None

    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        """`[B, 1, T]` float32 to codes `[B, K, ceil(T / 1920)]` int64."""
        return self.quantize(self.encode_to_latent(waveform))

    def encode_to_latent(self, waveform: torch.Tensor) -> torch.Tensor:
        """`[B, 1, T]` float32 to the latent before quantisation, `[B, 512, ceil(T / 1920)]` float32."""
        return self.trace(waveform)["latents"]

    def quantize(self, latents: torch.Tensor) -> torch.Tensor:
        """`[B, 512, T']` to codes `[B, K, T']` int64."""
        self.model.set_num_codebooks(self.num_codebooks)
        with self._settings():
            return self.model.quantizer.encode(latents)

    def dequantize(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes `[B, K, T']` to the latent that they stand for, `[B, 512, T']` float32."""
        with self._settings():
            return self.model.decode_latent(codes)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes `[B, K, T']` to audio `[B, 1, 1920 * T']` float32."""
        with inference(), self._settings():
            return self.model.decode(codes)

    def trace(self, waveform: torch.Tensor, layers: frozenset[int] = frozenset()) -> dict[str, torch.Tensor]:
        """`latents` at 12.5 Hz, `latents25` before the last halving, `seanet<i>` after each of `layers`.

        waveform: `[B, 1, T]`, any T from 1 sample; silence fills the last frame, as upstream does.
        """
        import torch

        pieces = [out for _, _, out in self.pieces(reader_of(waveform), waveform.shape[-1], layers)]
        return {name: torch.cat([piece[name] for piece in pieces], -1) for name in pieces[0]}

    def pieces(
        self, audio: AudioReader, total: int, layers: frozenset[int] = frozenset()
    ) -> Iterator[tuple[int, int, dict[str, torch.Tensor]]]:
        """(start, end, the tensors of `trace`) of successive pieces of a recording of `total` samples."""
        block = self.block() if total <= WHOLE else BLOCK
        steps = encode(self.model, audio, total, layers, block)
        while True:
            with self._settings(), self._half():
                piece = next(steps, None)
            if piece is None:
                return
            start, end, out = piece
            yield start, end, {name: tensor.float() for name, tensor in out.items()}

    def block(self) -> int:
        """Samples per pass of the convolutions, after checking once that cutting changes no bit on this processor.

        Where it does (torch chooses kernels by instruction set), clips up to a minute are convolved whole.
        """
        import torch

        if self._block is None and (self.bf16 or self._device().type != "cpu"):
            self._block = WHOLE
        if self._block is None:
            probe = reader_of(signal(1, self.sample_rate, 1).repeat(1, 1, 3))
            total = 2 * BLOCK + 7 * FRAME
            with inference(), self._settings():
                cut, whole = (
                    convolve(self.model, probe, 0, total, frozenset(), size)["hidden"] for size in (BLOCK, WHOLE)
                )
                self._block = BLOCK if torch.equal(cut, whole) else WHOLE
        return self._block

    @contextlib.contextmanager
    def _settings(self) -> Iterator[None]:
        """Without the just-in-time compilation of rotary embeddings: it needs a C compiler and gains nothing here."""
        from moshi.utils.compile import no_compile

        with no_compile():
            yield

    def _half(self) -> contextlib.AbstractContextManager[Any]:
        import torch

        return torch.autocast(self._device().type, torch.bfloat16) if self.bf16 else contextlib.nullcontext()

    def spare_memory(self) -> None:
        """From now on short blocks, on any device."""
        self._block = BLOCK

    def _device(self) -> torch.device:
        return next(self.model.parameters()).device


class MimiExtractor(StreamedExtractor):
    """Views of Mimi from one pass of its encoder; the pseudo view costs three more."""

    codec: MimiCodec

    def pieces(self, audio: AudioReader, total: int) -> Iterator[tuple[Window, Mapping[str, torch.Tensor]]]:
        """Views of successive pieces of 20 to 41 s, equal to those of the whole recording."""
        layers = frozenset(int(s.details["options"]["layer"]) for s in self.specs if s.kind == "seanet")
        shifts = SHIFTS if any(spec.kind == "latents-pseudo" for spec in self.specs) else ()
        shifted = [self.codec.pieces(delayed(audio, shift), total) for shift in shifts]
        for start, end, traced in self.codec.pieces(audio, total, layers):
            if shifted:
                traced["pseudo"] = interleaved([traced["latents"], *(next(s)[2]["latents"] for s in shifted)])
            yield Window(start, end, start, end), self._views(traced)

    def _views(self, traced: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        codes = self.codec.quantize(traced["latents"]) if self.codebooks else None
        out = {}
        for spec in self.specs:
            if spec.kind == "codes" and codes is not None:
                out[spec.name] = codes[:, : spec.rows]
            elif spec.kind == "quantized" and codes is not None:
                out[spec.name] = self.codec.dequantize(codes[:, : int(spec.details["codebooks"])])
            elif spec.kind == "seanet":
                out[spec.name] = traced[f"seanet{spec.details['options']['layer']}"]
            elif spec.kind == "latents-pseudo":
                out[spec.name] = traced["pseudo"]
            else:
                out[spec.name] = traced["latents25" if spec.frame_rate == 25 else "latents"]
        return out


def delayed(audio: AudioReader, shift: int) -> AudioReader:
    """The recording without its first `shift` samples, followed by as many of silence."""
    return lambda start, end: audio(start + shift, end + shift)


def interleaved(phases: Sequence[torch.Tensor]) -> torch.Tensor:
    """Latents `[B, D, T']` of shifts 0, 480, 960 and 1440 as `[B, D, 4 * T']` in order of time."""
    import torch

    return torch.stack(list(phases), -1).flatten(-2)


def load(weights: Weights, settings: Mapping[str, Any]) -> MimiCodec:
    """Mimi with these weights; without `decoder`, its decoding half is dropped (170 MB)."""
    import torch
    from moshi.models.loaders import get_mimi

    if weights.seed is None:
        with torch.device("meta"):
            model: Any = get_mimi(None, device="meta")
        model = model.to_empty(device="cpu").eval()
        load_into(model, weights)
    else:
        model = seeded_model(weights.seed)
    if not settings.get("decoder", True):
        model.decoder = torch.nn.Identity()
        model.decoder_transformer = None
        model.upsample = torch.nn.Identity()
    model.requires_grad_(False).to(settings.get("device", "cpu"))
    return MimiCodec(model, int(settings.get("num_codebooks", 8)), settings.get("mode") == "bf16")


def seeded_model(seed: int, mimi_config: dict[str, Any] | None = None) -> Any:
    """An untrained `MimiModel` whose codebooks cover what its encoder gives for a seeded signal."""
    import torch
    from moshi.models.loaders import get_mimi

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = get_mimi(None, mimi_config).eval()
    generator = torch.Generator().manual_seed(seed)
    model.set_num_codebooks(model.total_codebooks)
    with inference():
        latents = MimiCodec(model, model.total_codebooks).encode_to_latent(signal(seed, model.sample_rate, 1))
        for quantizer in (model.quantizer.rvq_first, model.quantizer.rvq_rest):
            residual = quantizer.input_proj(latents)[0].T
            for layer in quantizer.vq.layers:
                book = layer._codebook
                entries = spread_codebook(residual, book.codebook_size, generator)
                book.embedding_sum.copy_(entries)
                book.cluster_usage.fill_(1)
                book._initialized.fill_(1)
                book.register_buffer("_embedding", None, persistent=False)
                residual = residual - entries[torch.cdist(residual[None], entries[None])[0].argmin(-1)]
    return model


FAMILY = NeuralFamily(ARCHITECTURE, load, MimiExtractor)
