"""Clips encoded by the codecs' own packages: whole, on the CPU, by the calls that their documentation shows.

Nothing of our own encoding is used (no pieces, no batches, no folded weights), so that an array of a dataset can be
compared with what anybody else would get. Of ours are the weights' loading and the resampler, which no package defines.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ...schemas.config import RepresentationConfig
from ...schemas.representation import RepresentationSpec
from ..coding.inference import inference
from ..coding.resample import resample
from ..coding.views import Architecture
from ..coding.weights import Weights, load_into
from . import encodec, encodec48, mimi

if TYPE_CHECKING:
    import torch

View = tuple[str, float]
"""Kind and frame rate (Hz)."""


def made_upstream(spec: RepresentationSpec) -> bool:
    """Whether the codec's package has a call that gives this view. It has none for pooled latents and for single
    layers, and codecs that are of this package or that registered themselves have no other to be compared with."""
    return spec.codec in UPSTREAM and (spec.kind, spec.frame_rate) in UPSTREAM[spec.codec][2]


class Upstream:
    """One representation as the codec's package makes it. Raises `WeightsError` when the weights are absent."""

    def __init__(self, config: RepresentationConfig, spec: RepresentationSpec) -> None:
        """spec: one for which `made_upstream`."""
        self._spec = spec
        self._architecture, self._views, _ = UPSTREAM[spec.codec]
        self._model = _model(config.codec, config.weights, config.weights_sha256)

    def __call__(self, waveform: np.ndarray, sample_rate: int) -> np.ndarray:
        """`[C, T]` float32 to the array `[rows, frames]` in the representation's dtype."""
        import torch

        audio = resample(waveform, sample_rate, self._architecture.sample_rate)
        if audio.shape[0] > self._architecture.channels:
            audio = audio.mean(axis=0, keepdims=True, dtype=np.float32)
        # memory of torch's own, as it would be anywhere: kernels may sum in another order on other alignments
        x = torch.zeros((1, self._architecture.channels, audio.shape[1]))
        x[0] = torch.from_numpy(np.ascontiguousarray(audio))
        with inference():
            found = self._views(self._model, x, self._spec)[self._spec.kind, self._spec.frame_rate]
        return found[: self._spec.rows].numpy().astype(self._spec.dtype)


@lru_cache(maxsize=2)
def _model(codec: str, weights: str | None, weights_sha256: str | None) -> Any:
    """The package's model, loaded once for all views of it."""
    found = UPSTREAM[codec][0].weights(
        RepresentationConfig(codec=codec, kind="codes", weights=weights, weights_sha256=weights_sha256)
    )
    return _mimi(found) if codec == "mimi" else _encodec(f"encodec_model_{codec.removeprefix('encodec')}khz", found)


def _set_codebooks(model: Any, spec: RepresentationSpec) -> None:
    """Let an `EncodecModel` use as many codebooks as the view has."""
    books = int(spec.details.get("codebooks") or UPSTREAM[spec.codec][0].default_codebooks)
    # kbit/s: log2 of the entries for each codebook and frame
    model.set_target_bandwidth(books * 10 * model.frame_rate / 1000)


def _mimi(weights: Weights) -> Any:
    import torch
    from moshi.models.loaders import get_mimi

    if weights.seed is not None:
        return mimi.seeded_model(weights.seed)
    with torch.device("meta"):
        model: Any = get_mimi(None, device="meta")
    model = model.to_empty(device="cpu").eval()
    load_into(model, weights)
    return model


def _encodec(constructor: str, weights: Weights) -> Any:
    if weights.seed is not None:
        return encodec.seeded_model(constructor, weights.seed).eval()
    model = encodec.empty_model(constructor)
    load_into(model, weights)
    return model.eval()


def _mimi_views(model: Any, audio: torch.Tensor, spec: RepresentationSpec) -> dict[View, torch.Tensor]:
    from moshi.utils.compile import no_compile

    with no_compile():
        model.set_num_codebooks(int(spec.details.get("codebooks") or mimi.ARCHITECTURE.default_codebooks))
        codes = model.encode(audio)
        return {
            ("codes", 12.5): codes[0],
            ("latents", 12.5): model.encode_to_latent(audio, quantize=False)[0],
            ("quantized", 12.5): model.decode_latent(codes)[0],
        }


def _encodec24_views(model: Any, audio: torch.Tensor, spec: RepresentationSpec) -> dict[View, torch.Tensor]:
    _set_codebooks(model, spec)
    ((codes, _scale),) = model.encode(audio)
    return {
        ("codes", 75.0): codes[0],
        ("latents", 75.0): model.encoder(audio)[0],
        ("quantized", 75.0): model.quantizer.decode(codes.transpose(0, 1))[0],
    }


def _encodec48_views(model: Any, audio: torch.Tensor, spec: RepresentationSpec) -> dict[View, torch.Tensor]:
    import torch

    _set_codebooks(model, spec)
    segments = model.encode(audio)
    return {
        ("codes", 150.0): torch.cat([codes[0] for codes, _ in segments], -1),
        ("scales", spec.frame_rate): torch.cat([scale[0][None] for _, scale in segments], -1),
    }


UPSTREAM: dict[str, tuple[Architecture, Callable[..., dict[View, torch.Tensor]], frozenset[View]]] = {
    "mimi": (
        mimi.ARCHITECTURE,
        _mimi_views,
        frozenset({("codes", 12.5), ("latents", 12.5), ("quantized", 12.5)}),
    ),
    "encodec24": (
        encodec.ARCHITECTURE,
        _encodec24_views,
        frozenset({("codes", 75.0), ("latents", 75.0), ("quantized", 75.0)}),
    ),
    "encodec48": (
        encodec48.ARCHITECTURE,
        _encodec48_views,
        frozenset({("codes", 150.0), ("scales", encodec48.SEGMENT / encodec48.STRIDE)}),
    ),
}
"""Codec -> its declaration, how its package makes each view of audio `[1, C, T]`, and which views those are."""
