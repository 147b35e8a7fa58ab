"""The loop that every neural codec shares: audio in, all asked views out, from one pass of the encoder.

A family that offers only the `Codec` interface gets its extractor here; Mimi and EnCodec add their own views.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...schemas.config import RepresentationConfig
from ...schemas.errors import ClipError
from ...schemas.representation import RepresentationSpec
from ...schemas.tables import FailureReason
from ...schemas.time import resampled_length
from .codec import Codec, Extractor
from .inference import inference
from .resample import Reader, resample_span
from .views import Architecture, describe, describe_with, expected_frames
from .weights import Weights
from .windows import AudioReader, Window, Windows

if TYPE_CHECKING:
    import torch


class CodecExtractor:
    """Views of one codec. Subclasses give `encode_views`; this class gives channels, rate, windows, dtypes, checks.

    specs: one per view, in the order of the config.
    """

    windows = Windows()
    batch_limit_s = 60.0
    """Longer recordings are never batched."""
    pads = True
    """Whether clips of unequal length may share a batch, silence behind the shorter ones."""

    def __init__(self, specs: Sequence[RepresentationSpec], codec: Codec) -> None:
        self.specs = tuple(specs)
        self.codec = codec
        self.mode = str(self.specs[0].details.get("mode", "exact"))
        self.device = str(self.specs[0].details.get("options", {}).get("device", "cpu"))
        self.codebooks = max((int(s.details.get("codebooks") or 0) for s in self.specs), default=0)

    def encode_views(self, audio: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """`[B, C, T]` float32 at the codec's rate to `[B, rows, frames]` per representation name.

        Here codes and latents from the `Codec` interface; a codec that also has `quantize` (latents to codes) runs
        its encoder once for both. A view of fewer codebooks is the head of one with more: residual quantisers do not
        look ahead.
        """
        kinds = {spec.kind for spec in self.specs}
        quantize = getattr(self.codec, "quantize", None)
        latents = self.codec.encode_to_latent(audio) if "latents" in kinds or quantize else None
        codes = None
        if "codes" in kinds:
            codes = quantize(latents) if quantize else self.codec.encode(audio)
        out: dict[str, torch.Tensor] = {}
        for spec in self.specs:
            if spec.kind == "codes" and codes is not None:
                out[spec.name] = codes[:, : spec.rows]
            elif latents is not None:
                out[spec.name] = latents
        return out

    def extract(self, waveform: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
        """`[C, T]` float32 at `sample_rate` Hz to one `[rows, frames]` array per representation name.

        Raises `ClipError` for audio without samples, with NaN or Inf, or with more than two channels.
        """
        waveform = checked_shape(waveform)
        return self.join(list(self.stream(lambda a, b: waveform[:, a:b], waveform.shape[1], sample_rate)))

    def stream(self, read: Reader, num_samples: int, sample_rate: int) -> Iterator[dict[str, np.ndarray]]:
        """Consecutive blocks of frames of a recording of any length, in the memory of one block.

        read: gives samples [start, end) at `sample_rate` as `[C, n]` float32. Concatenated on axis 1 the blocks are
        what `extract` gives.
        """
        if num_samples < 1:
            raise ClipError(FailureReason.NO_SAMPLES, "audio has no samples")
        total = resampled_length(num_samples, sample_rate, self.codec.sample_rate)

        def audio(start: int, end: int) -> torch.Tensor:
            return self._samples(read, num_samples, sample_rate, start, end, total).to(self.device)

        pieces = self.pieces(audio, total)
        while True:
            # entered anew for every piece: what the caller does in between must not run under our settings
            with inference(exact=self.mode == "exact"):
                piece = next(pieces, None)
                if piece is None:
                    return
                window, views = piece
                block = {s.name: self._sealed(s, views[s.name][0], window, total) for s in self.specs}
            yield block

    def pieces(self, audio: AudioReader, total: int) -> Iterator[tuple[Window, Mapping[str, torch.Tensor]]]:
        """Where each piece is, and its views `[1, rows, frames]`; frames before `keep_start` are dropped."""
        grid = math.lcm(self.windows.grid, *(spec.frame_size for spec in self.specs))
        for window in replace(self.windows, grid=grid).over(total, self.codec.sample_rate):
            yield window, self.encode_views(audio(window.start, window.end))

    def prepared(self, waveform: np.ndarray, sample_rate: int) -> torch.Tensor:
        """`[C, T]` at any rate to `[C, T]` at the codec's rate and channels, in memory; for batches."""
        waveform = checked_shape(waveform)
        num_samples = waveform.shape[1]
        if num_samples < 1:
            raise ClipError(FailureReason.NO_SAMPLES, "audio has no samples")
        total = resampled_length(num_samples, sample_rate, self.codec.sample_rate)
        return self._samples(lambda a, b: waveform[:, a:b], num_samples, sample_rate, 0, total, total)[0]

    def cut(self, audio: torch.Tensor) -> list[torch.Tensor]:
        """The pieces of `[C, T]` that are encoded independently: here one."""
        return [audio]

    def encode_batch(self, units: Sequence[torch.Tensor]) -> list[dict[str, np.ndarray] | ClipError]:
        """Arrays of each unit `[C, T_i]`, or why it has none, encoded as one batch on the device."""
        import torch

        longest = max(unit.shape[-1] for unit in units)
        pinned = self.device.startswith("cuda")
        batch = torch.zeros((len(units), units[0].shape[0], longest), dtype=torch.float32, pin_memory=pinned)
        for row, unit in zip(batch, units, strict=True):
            row[:, : unit.shape[-1]] = unit
        with inference(exact=False):
            views = self.encode_views(batch.to(self.device, non_blocking=True))
            # one copy per view, not one per clip
            views = {name: values.cpu() for name, values in views.items()}
            return [self._unit(unit, {n: v[i] for n, v in views.items()}) for i, unit in enumerate(units)]

    def encode_piecewise(self, unit: torch.Tensor) -> dict[str, np.ndarray] | ClipError:
        """One unit in as little device memory as can be, after a batch of one did not fit."""
        spare_memory = getattr(self.codec, "spare_memory", None)
        if spare_memory:
            spare_memory()
        with inference(exact=False):
            whole = reader_of(unit[None])
            parts = [views for _, views in self.pieces(lambda a, b: whole(a, b).to(self.device), unit.shape[-1])]
            return self._unit(unit, joined_views(parts, take=0))

    def join(self, parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Arrays of the units of one clip to arrays of the clip."""
        return {s.name: np.concatenate([part[s.name] for part in parts], axis=1) for s in self.specs}

    def _unit(self, unit: torch.Tensor, views: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray] | ClipError:
        total = unit.shape[-1]
        window = Window(0, total, 0, total, is_segment=not self.pads)
        try:
            return {s.name: self._sealed(s, views[s.name], window, total) for s in self.specs}
        except ClipError as error:
            return error

    def _samples(
        self, read: Reader, num_samples: int, sample_rate: int, start: int, end: int, total: int
    ) -> torch.Tensor:
        """`[1, C, end - start]` at the codec's rate and channels: a mono source is doubled, a stereo one averaged."""
        import torch

        stop = max(start, min(end, total))
        inside = resample_span(read, num_samples, sample_rate, self.codec.sample_rate, start, stop)
        found, wanted = inside.shape[0], self.codec.channels
        if found not in (1, 2):
            raise ClipError(FailureReason.EXTRACTION, f"{self.specs[0].codec} takes 1 or 2 channels, found {found}")
        if not np.isfinite(inside).all():
            raise ClipError(FailureReason.NOT_FINITE, "audio holds NaN or Inf")
        if found > wanted:
            inside = inside.mean(axis=0, keepdims=True, dtype=np.float32)
        # memory that torch aligns, whatever numpy gave: matrix kernels may sum in another order on other alignments
        audio = torch.zeros((1, wanted, end - start), dtype=torch.float32)
        audio[0, :, : inside.shape[1]] = torch.from_numpy(np.ascontiguousarray(inside))
        return audio

    def _sealed(self, spec: RepresentationSpec, frames: torch.Tensor, window: Window, total: int) -> np.ndarray:
        """The window's own frames in the declared dtype, checked against the specification."""
        if window.is_segment:
            wanted = frames.shape[-1]
        else:
            skip = (window.keep_start - window.start) // spec.frame_size
            end = window.keep_end if window.keep_end < total else total
            wanted = expected_frames(spec, end) - window.keep_start // spec.frame_size
            frames = frames[:, skip : skip + wanted]
        if frames.shape[0] != spec.rows or frames.shape[1] != wanted:
            raise ClipError(
                FailureReason.EXTRACTION,
                f"{spec.name} gave {list(frames.shape)}, its specification says [{spec.rows}, {wanted}]",
            )
        array = frames.cpu().numpy()
        if spec.is_codes:
            return np.ascontiguousarray(array, dtype=np.uint16)
        if not np.isfinite(array).all():
            raise ClipError(FailureReason.EXTRACTION, f"{spec.name} holds NaN or Inf")
        return np.ascontiguousarray(array, dtype=spec.dtype)


class StreamedExtractor(CodecExtractor):
    """For codecs whose `pieces` have no seam: `encode_views` is their sum."""

    def encode_views(self, audio: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """`[B, C, T]` float32 at the codec's rate to `[B, rows, frames]` per representation name."""
        return joined_views([views for _, views in self.pieces(reader_of(audio), audio.shape[-1])])


def joined_views(parts: Sequence[Mapping[str, torch.Tensor]], take: int | None = None) -> dict[str, torch.Tensor]:
    """Views of successive pieces as one; `take` picks one item of the batch."""
    import torch

    joined = {name: torch.cat([part[name] for part in parts], -1) for name in parts[0]}
    return joined if take is None else {name: values[take] for name, values in joined.items()}


def checked_shape(waveform: np.ndarray) -> np.ndarray:
    """The audio, when it is `[C, T]`; raises `ClipError` otherwise."""
    waveform = np.asarray(waveform)
    if waveform.ndim != 2:
        raise ClipError(FailureReason.EXTRACTION, f"audio must be [C, T], found shape {list(waveform.shape)}")
    return waveform


def reader_of(waveform: torch.Tensor) -> AudioReader:
    """Reads `[B, C, T]` in memory, silence beyond T."""

    def read(start: int, end: int) -> torch.Tensor:
        inside = waveform[..., min(start, waveform.shape[-1]) : end]
        audio = waveform.new_zeros((*waveform.shape[:2], end - start))
        audio[..., : inside.shape[-1]] = inside
        return audio

    return read


@dataclass(frozen=True)
class NeuralFamily:
    """What a codec registers: its declaration, how its weights are loaded, and which class extracts its views."""

    architecture: Architecture
    load_codec: Callable[[Weights, Mapping[str, Any]], Codec]
    """(weights, settings) to the loaded codec; settings: num_codebooks, mode, device, decoder (whether to keep it)."""
    extractor: type[CodecExtractor] = CodecExtractor

    @property
    def name(self) -> str:
        """Name in the registry."""
        return self.architecture.name

    @property
    def declared(self) -> Architecture:
        """The architecture; where long recordings are windowed, with the windows, because they enter fingerprints."""
        if self.extractor.pieces is not CodecExtractor.pieces:
            return self.architecture
        policy = {**self.extractor.windows.policy(), **self.architecture.policy}
        return replace(self.architecture, policy=policy)

    def describe(self, config: RepresentationConfig) -> RepresentationSpec:
        """The declared view; see `CodecFamily.describe`."""
        return describe(self.declared, config)

    def build(self, configs: Sequence[RepresentationConfig]) -> Extractor:
        """One extractor for all `configs`, which share codec, weights, mode and device."""
        first = configs[0]
        weights = self.architecture.weights(first)
        specs = [describe_with(self.declared, config, weights) for config in configs]
        codebooks = max((int(s.details["codebooks"] or 0) for s in specs), default=0)
        settings = {
            "num_codebooks": codebooks or self.architecture.default_codebooks,
            "mode": first.mode,
            "device": first.options.get("device", "cpu"),
            "decoder": False,
        }
        return self.extractor(specs, self.load_codec(weights, settings))

    def load(self, config: RepresentationConfig) -> Codec:
        """The bare codec with its decoder."""
        weights = self.architecture.weights(config)
        codebooks = config.num_codebooks or self.architecture.default_codebooks
        settings = {"num_codebooks": codebooks, "mode": "exact", "device": "cpu", "decoder": True}
        return self.load_codec(weights, settings)
