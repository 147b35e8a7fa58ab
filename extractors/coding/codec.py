"""The codec interface: what a neural codec must offer to be extracted with.

Letters: B batch, C audio channels, T samples or frames, K codebooks, D latent dimension.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from ...schemas.config import RepresentationConfig
from ...schemas.representation import RepresentationSpec

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Codec(Protocol):
    """A loaded codec. All tensors are on its device; `encode` and friends run in inference mode."""

    sample_rate: int
    frame_rate: float
    frame_size: int
    channels: int
    num_codebooks: int
    cardinality: int

    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        """`[B, C, T]` float32 at sample_rate to codes `[B, K, T']` int64."""
        ...

    def encode_to_latent(self, waveform: torch.Tensor) -> torch.Tensor:
        """`[B, C, T]` float32 to the continuous latent before quantisation, `[B, D, T']` float32."""
        ...

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes `[B, K, T']` to audio `[B, C, T]` float32."""
        ...


@runtime_checkable
class Extractor(Protocol):
    """One codec with the representations asked of it: several views from one decode and one encoder pass."""

    specs: tuple[RepresentationSpec, ...]

    def extract(self, waveform: np.ndarray, sample_rate: int) -> Mapping[str, np.ndarray]:
        """`[C, T]` float32 at `sample_rate` to one array per representation name, `[rows, frames]` in its dtype.

        Raises `schemas.errors.ClipError` for audio that cannot be encoded.
        """
        ...


class CodecFamily(Protocol):
    """What a codec registers under its name: how to describe its views, and how to load it."""

    name: str

    def describe(self, config: RepresentationConfig) -> RepresentationSpec:
        """The declared view, fingerprint included, without importing torch or loading weights.

        Raises `ConfigError` for a view the codec does not have, `WeightsError` for absent weights.
        """
        ...

    def build(self, configs: Sequence[RepresentationConfig]) -> Extractor:
        """The loaded extractor for these views, weights read once."""
        ...

    def load(self, config: RepresentationConfig) -> Codec:
        """The bare codec, for decoding."""
        ...
