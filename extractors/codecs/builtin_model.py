"""The built-in codec: EnCodec's SEANet and residual quantiser behind a short lapped transform, small enough to ship.

A convolution of kernel 2M and stride M, started as an MDCT, turns the waveform into M bands at `sample_rate / M`; the
SEANet encoder and decoder of `encodec.modules` then work at that low rate instead of on single samples, which is what
makes the codec cheap. A transposed convolution, started as the inverse MDCT, overlap-adds bands into the waveform.

Beside each SEANet runs one linear convolution from bands to latent and back. Started as the principal components of
speech (`start_linear`) it is a transform codec before the first training step; the SEANets learn what it lacks: the
decoder's predicts a gain on each band of the linear path, a signal beside it, and the level of a noise in each band
(fixed random signs): what a few kbit/s cannot describe sample by sample still gets its envelope.

Letters: B batch, T samples or frames, K codebooks, D latent dimension, M bands.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from encodec.modules.conv import SConv1d, SConvTranspose1d
from encodec.modules.seanet import SEANetDecoder, SEANetEncoder
from encodec.quantization.core_vq import ResidualVectorQuantization
from torch import nn

from .fsq import ResidualFsq

GAIN_RANGE = 2.0
"""Largest log gain that the decoder puts on a band of the linear path, either way (17 dB)."""


NOISE_RANGE = 4.0
"""Largest log level of the noise in a band around the band's own root mean square, either way (35 dB)."""
NOISE_FRAMES = 4096
"""Hops after which the noise repeats: 13.7 s."""


@dataclass(frozen=True)
class BuiltinConfig:
    """Architecture of the built-in codec; stored in the card beside the weights."""

    sample_rate: int = 24_000
    """Hz."""
    bands: int = 80
    """M: bands of the lapped transform, and its hop in samples."""
    ratios: tuple[int, ...] = (2, 2)
    """Strides of the SEANet between the transform and the latent."""
    encoder_filters: int = 40
    decoder_filters: int = 64
    residual_layers: int = 2
    kernel_size: int = 5
    dimension: int = 48
    """D: length of the latent, and of every codebook entry."""
    noise: bool = False
    """Whether the decoder adds noise of a level that it chooses per band."""
    quantizer: str = "rvq"
    """rvq or fsq."""
    num_codebooks: int = 8
    cardinality: int = 1024
    """Entries per codebook; FSQ derives it from `fsq_levels`."""
    fsq_levels: tuple[int, ...] = (5, 5, 5, 7)
    """Levels per scalar of one FSQ codebook. Odd, so that zero is one of them: quiet frames stay quiet."""

    @property
    def frame_size(self) -> int:
        """Samples per frame."""
        return self.bands * math.prod(self.ratios)

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.frame_size

    @property
    def entries(self) -> int:
        """Entries per codebook of the chosen quantiser."""
        return math.prod(self.fsq_levels) if self.quantizer == "fsq" else self.cardinality

    @property
    def bitrate_bps(self) -> float:
        """Bits per second of all codebooks, without entropy coding."""
        return self.frame_rate * self.num_codebooks * math.log2(self.entries)

    @classmethod
    def from_card(cls, values: Mapping[str, Any]) -> BuiltinConfig:
        """Read from JSON, where tuples are lists; unknown keys are ignored."""
        known = {f.name for f in fields(cls)}
        chosen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
        return cls(**chosen)

    def to_card(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def mdct_basis(bands: int) -> torch.Tensor:
    """`[M, 2M]` float32 rows of the orthonormal MDCT with a sine window (Princen, Johnson and Bradley 1987).

    Analysis and synthesis with the same rows at hop M reconstruct exactly.
    """
    n = torch.arange(2 * bands, dtype=torch.float64)
    k = torch.arange(bands, dtype=torch.float64)[:, None]
    window = torch.sin(math.pi * (n + 0.5) / (2 * bands))
    cosine = torch.cos(math.pi / bands * (n + 0.5 + bands / 2) * (k + 0.5))
    return (math.sqrt(2 / bands) * window * cosine).float()


def random_signs(bands: int) -> torch.Tensor:
    """`[M, NOISE_FRAMES]` of -1 and 1, the same on every machine: bits of SHAKE-256."""
    count = bands * NOISE_FRAMES
    stream = np.frombuffer(hashlib.shake_256(b"auricle builtin noise").digest(-(-count // 8)), dtype=np.uint8)
    return torch.from_numpy(np.unpackbits(stream)[:count].astype(np.float32) * 2 - 1).view(bands, NOISE_FRAMES)


class BuiltinCodec(nn.Module):
    """The codec. Satisfies `extractors.codec.Codec`; `reconstruct` is what training differentiates."""

    channels = 1
    analysis: Any
    synthesis: Any
    shortcut_in: Any
    shortcut_out: Any
    signs: Any
    band_rms: torch.Tensor
    """`[M]` root mean square of each band over speech: the unit of what the decoder adds."""
    quantizer: Any
    """One of encodec's `ResidualVectorQuantization` and `fsq.ResidualFsq`: the same interface."""

    def __init__(self, config: BuiltinConfig) -> None:
        super().__init__()
        self.config = config
        self.sample_rate = config.sample_rate
        self.frame_rate = config.frame_rate
        self.frame_size = config.frame_size
        self.num_codebooks = config.num_codebooks
        self.cardinality = config.entries
        bands = config.bands
        shared: dict[str, Any] = {
            "dimension": config.dimension,
            "n_residual_layers": config.residual_layers,
            "ratios": list(config.ratios),
            "norm": "none",
            "kernel_size": config.kernel_size,
            "last_kernel_size": config.kernel_size,
            "true_skip": True,
            "lstm": 0,
        }
        # centred padding of a 2M kernel at stride M puts frame i over samples [i, i+1) * M, half a hop of overlap
        self.analysis = SConv1d(1, bands, 2 * bands, stride=bands, bias=False, pad_mode="constant")
        self.encoder = SEANetEncoder(channels=bands, n_filters=config.encoder_filters, **shared)
        self.decoder = SEANetDecoder(
            channels=(3 if config.noise else 2) * bands, n_filters=config.decoder_filters, **shared
        )
        self.synthesis = SConvTranspose1d(bands, 1, 2 * bands, stride=bands)
        stride = math.prod(config.ratios)
        self.shortcut_in = SConv1d(bands, config.dimension, stride, stride=stride, bias=False)
        self.shortcut_out = SConvTranspose1d(config.dimension, bands, stride, stride=stride)

        if config.quantizer == "fsq":
            self.quantizer = ResidualFsq(config.dimension, config.num_codebooks, config.fsq_levels)
        elif config.quantizer == "rvq":
            # expiry of dead codes is done by training: encodec's own is undone by its next moving average
            self.quantizer = ResidualVectorQuantization(
                num_quantizers=config.num_codebooks,
                dim=config.dimension,
                codebook_size=config.cardinality,
                kmeans_init=False,
                threshold_ema_dead_code=0,
            )
        else:
            raise ValueError(f"quantizer must be rvq or fsq, found {config.quantizer!r}")
        self.register_buffer("band_rms", torch.full((bands,), 0.02))
        self.register_buffer("signs", random_signs(bands) if config.noise else None, persistent=False)
        basis = mdct_basis(bands)
        with torch.no_grad():
            self.analysis.conv.conv.weight.copy_(basis[:, None])
            self.synthesis.convtr.convtr.weight.copy_(basis[:, None])
            self.synthesis.convtr.convtr.bias.zero_()
            self.shortcut_out.convtr.convtr.bias.zero_()

    @torch.no_grad()
    def start_linear(self, spectrum: torch.Tensor) -> None:
        """Set the two shortcuts to the principal components of `spectrum` `[B, M, N]`, and quiet the SEANets.

        Bands are weighted by their root mean square to the power -1/2 first, half-way to white: plain components spend
        everything on the loudest bands, white ones treat hiss like speech.
        """
        stride, bands = self.frame_size // self.config.bands, self.config.bands
        self.band_rms.copy_((spectrum.square().mean((0, 2)) + 1e-7).sqrt())
        weight = (spectrum.square().mean((0, 2)) + 1e-7).pow(-0.25)
        frames = (spectrum * weight[:, None]).unfold(2, stride, stride).permute(0, 2, 1, 3).flatten(0, 1).flatten(1)
        values, vectors = torch.linalg.eigh(frames.double().T @ frames.double() / len(frames))
        components = vectors[:, -self.config.dimension :].T.float().view(-1, bands, stride)
        # unit variance on average, so that one learning rate and one commitment weight fit any corpus
        scale = values[-self.config.dimension :].mean().sqrt().float()
        self.shortcut_in.conv.conv.weight.copy_(components * weight[:, None] / scale)
        self.shortcut_out.convtr.convtr.weight.copy_(components / weight[:, None] * scale)
        for seanet in (self.encoder, self.decoder):
            last: Any = seanet.model[-1]
            last.conv.conv.weight.mul_(0.3)
        if self.config.noise:
            # 17 dB below the band
            last.conv.conv.bias[2 * bands :] = -2.0

    def pad(self, waveform: torch.Tensor) -> torch.Tensor:
        """`[B, 1, T]` extended by zeros to whole frames."""
        return nn.functional.pad(waveform, (0, -waveform.shape[-1] % self.frame_size))

    def latent(self, waveform: torch.Tensor) -> torch.Tensor:
        """`[B, 1, T]` with T in whole frames to `[B, D, T / frame_size]`, differentiable."""
        spectrum = self.analysis(waveform)
        # square-root companding: speech spans 60 dB, which a linear first layer sees only the top of
        companded = torch.sign(spectrum) * torch.sqrt(spectrum.abs() + 1e-6)
        return self.shortcut_in(spectrum) + self.encoder(companded)

    def synthesize(self, latent: torch.Tensor, noise_start: int = 0) -> torch.Tensor:
        """Latent `[B, D, T']` to waveform `[B, 1, T' * frame_size]`, differentiable.

        noise_start: hop at which the noise begins; training varies it, lest the model learns the signs by heart.
        """
        gain, shape, *level = self.decoder(latent).split(self.config.bands, dim=1)
        # a bounded gain: an open-ended one closes on its first noise and, closed, learns nothing more
        gain = torch.exp(GAIN_RANGE * torch.tanh(gain / GAIN_RANGE))
        if level:
            hops = (torch.arange(shape.shape[-1], device=shape.device) + noise_start) % NOISE_FRAMES
            shape = shape + self.signs[:, hops] * torch.exp(NOISE_RANGE * torch.tanh(level[0] / NOISE_RANGE))
        bands = self.shortcut_out(latent) * gain + shape * self.band_rms[:, None]
        return self.overlap_add(bands)

    def overlap_add(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Bands `[B, M, N]` to samples `[B, 1, N * M]`: the transposed convolution `synthesis`, as one product.

        A kernel of two hops overlaps only neighbours, so the two halves of every window are added with one shift;
        three times as fast as the general operator on a CPU, forward and backward.
        """
        bands = self.config.bands
        kernel = self.synthesis.convtr.convtr.weight[:, 0]
        windows = spectrum.transpose(1, 2) @ kernel
        head = nn.functional.pad(windows[..., :bands], (0, 0, 0, 1))
        tail = nn.functional.pad(windows[..., bands:], (0, 0, 1, 0))
        whole = (head + tail).flatten(1)[:, None]
        return whole[..., bands // 2 : bands // 2 + spectrum.shape[-1] * bands] + self.synthesis.convtr.convtr.bias

    @torch.inference_mode()
    def encode_to_latent(self, waveform: torch.Tensor) -> torch.Tensor:
        """`[B, 1, T]` float32 at sample_rate to `[B, D, ceil(T / frame_size)]` float32, before quantisation."""
        return self.latent(self.pad(waveform))

    @torch.inference_mode()
    def quantize(self, latent: torch.Tensor, num_codebooks: int | None = None) -> torch.Tensor:
        """Latent `[B, D, T']` to codes `[B, K, T']` int64."""
        return self.quantizer.encode(latent, n_q=num_codebooks).transpose(0, 1)

    @torch.inference_mode()
    def dequantize(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes `[B, K, T']`, K up to num_codebooks, to the latent that they stand for, `[B, D, T']`."""
        return self.quantizer.decode(codes.transpose(0, 1))

    @torch.inference_mode()
    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        """`[B, 1, T]` float32 at sample_rate to codes `[B, K, T']` int64."""
        return self.quantize(self.encode_to_latent(waveform), self.num_codebooks)

    @torch.inference_mode()
    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes `[B, K, T']` to audio `[B, 1, T' * frame_size]` float32."""
        return self.synthesize(self.dequantize(codes))
