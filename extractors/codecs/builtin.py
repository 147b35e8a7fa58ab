"""The built-in codec as a family: codes and latents at 75 Hz, with weights that ship in the package.

Nothing is downloaded: the packaged weights are used when the config names none. `weights` may name others that
`auricle train codec` wrote (a .safetensors file, its .json card beside it), or `seed:<n>` for untrained noise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...schemas.config import RepresentationConfig
from ...schemas.errors import WeightsError
from ...schemas.keys import canonical_json, digest, sha256_file
from ...schemas.representation import RepresentationSpec
from ..coding.extraction import CodecExtractor
from ..coding.inference import inference
from ..coding.seeded import signal, spread_codebook
from ..coding.views import POOLS, Architecture, View, describe_with, pooled
from ..coding.weights import Weights, load_state, resolve
from ..coding.windows import Windows

if TYPE_CHECKING:
    import torch

    from .builtin_model import BuiltinCodec

WEIGHTS = Path(__file__).parents[1] / "weights" / "builtin.safetensors"
SEEDED_CONFIG: dict[str, Any] = {
    "sample_rate": 24_000,
    "bands": 80,
    "ratios": [2, 2],
    "dimension": 48,
    "quantizer": "rvq",
    "num_codebooks": 8,
    "cardinality": 1024,
}
"""What the declaration needs of the architecture where there is no card; a test holds it to `BuiltinConfig()`."""
NOT_SHIPPED = (".inited", ".cluster_size", ".embed_avg")
"""Buffers of encodec's codebooks that only training reads."""
POOL = {"pool": POOLS}


def packaged_or_named(weights: str | None, sha256: str | None) -> Weights:
    """The weights that a config asks for; `seed:0` where it names none and the package carries none.

    Raises `WeightsError` for an absent file or another hash than the pin.
    """
    if weights is not None:
        return resolve(BuiltinFamily.name, weights, sha256)
    if not WEIGHTS.is_file():
        return resolve(BuiltinFamily.name, "seed:0", sha256)
    found = sha256_file(WEIGHTS)
    if sha256 and sha256 != found:
        raise WeightsError(
            f"builtin: the packaged weights hash to {found}, pinned are {sha256}. "
            "Name the pinned file as `weights`, or re-extract with the packaged ones by taking the pin out"
        )
    return Weights(WEIGHTS.name, WEIGHTS, found)


def read_card(weights: Weights) -> dict[str, Any]:
    """The architecture of these weights, as their card says. Raises `WeightsError` where there is none."""
    if weights.path is None:
        return SEEDED_CONFIG
    card = weights.path.with_suffix(".json")
    try:
        return json.loads(card.read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"builtin: weights {weights.path} need the card that training wrote beside them, {card.name}, with the "
            f"architecture under 'config' ({type(error).__name__}: {error})"
        ) from error


def architecture(card: Mapping[str, Any]) -> Architecture:
    """What a codec with this card offers."""
    frame = int(card["bands"]) * math.prod(card["ratios"])
    rate = card["sample_rate"] / frame
    rows = int(card["dimension"])
    fsq = card["quantizer"] == "fsq"
    return Architecture(
        name=BuiltinFamily.name,
        version=1,
        package="encodec",
        sample_rate=int(card["sample_rate"]),
        channels=1,
        cardinality=math.prod(card["fsq_levels"]) if fsq else int(card["cardinality"]),
        codebooks=tuple(range(1, int(card["num_codebooks"]) + 1)),
        default_codebooks=int(card["num_codebooks"]),
        policy={**windows(frame).policy(), "architecture": digest(canonical_json(dict(card)))},
        views=(
            View("codes", rate, frame, codebooks=True),
            View("latents", rate, frame, rows=rows),
            View("latents", rate / 3, 3 * frame, rows=rows, options=POOL),
            View("latents", rate / 6, 6 * frame, rows=rows, options=POOL),
            View("quantized", rate, frame, rows=rows, codebooks=True),
        ),
    )


def windows(frame: int) -> Windows:
    """Whole up to a minute; beyond, windows with a second on either side (a frame depends on less than 0.3 s)."""
    return Windows(whole_s=60.0, step_s=58.0, context_s=1.0, ahead_s=1.0, grid=6 * frame)


def load(weights: Weights, num_codebooks: int | None = None) -> BuiltinCodec:
    """The codec in eval mode on the CPU, with these weights."""
    import torch

    from .builtin_model import BuiltinCodec, BuiltinConfig

    config = BuiltinConfig.from_card(read_card(weights))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed or 0)
        codec = BuiltinCodec(config).eval().requires_grad_(False)
    if weights.path is None:
        _seed_codebooks(codec, weights.seed or 0)
    else:
        state = {name: tensor.float() for name, tensor in load_state(weights).items()}
        try:
            missing, unknown = codec.load_state_dict(state, strict=False)
        except RuntimeError as error:
            raise WeightsError(f"builtin: weights {weights.path} do not fit their card: {error}") from error
        missing = [name for name in missing if not name.endswith(NOT_SHIPPED)]
        if missing or unknown:
            raise WeightsError(
                f"builtin: weights {weights.path} do not fit their card: missing {missing[:3]}, unknown {unknown[:3]}"
            )
    codec.num_codebooks = num_codebooks or config.num_codebooks
    return codec


def _seed_codebooks(codec: BuiltinCodec, seed: int) -> None:
    import torch

    generator = torch.Generator().manual_seed(seed)
    with inference():
        residual = codec.encode_to_latent(signal(seed, codec.sample_rate, 1))[0].T
        for layer in codec.quantizer.layers:
            entries = spread_codebook(residual, layer.codebook.shape[0], generator)
            layer.codebook.copy_(entries)
            residual = residual - entries[torch.cdist(residual, entries).argmin(-1)]


class BuiltinExtractor(CodecExtractor):
    """Codes, latents and quantised latents of one clip from one encoder pass."""

    codec: BuiltinCodec

    def __init__(self, specs: Sequence[RepresentationSpec], codec: BuiltinCodec) -> None:
        super().__init__(specs, codec)
        self.windows = windows(codec.frame_size)

    def encode_views(self, audio: torch.Tensor) -> Mapping[str, torch.Tensor]:
        """`[B, 1, T]` float32 at 24 kHz to `[B, rows, frames]` per representation name."""
        latents = self.codec.encode_to_latent(audio)
        codes = self.codec.quantize(latents, self.codebooks) if self.codebooks else None
        out = {}
        for spec in self.specs:
            if spec.kind == "codes" and codes is not None:
                out[spec.name] = codes[:, : spec.rows]
            elif spec.kind == "quantized" and codes is not None:
                out[spec.name] = self.codec.dequantize(codes[:, : int(spec.details["codebooks"])])
            else:
                factor = spec.frame_size // self.codec.frame_size
                out[spec.name] = latents if factor == 1 else pooled(latents, factor, spec.details["options"]["pool"])
        return out


class BuiltinFamily:
    """The built-in codec's entry in the registry."""

    name = "builtin"

    def describe(self, config: RepresentationConfig) -> RepresentationSpec:
        """The declared view, fingerprint included; reads the card and hashes the weights, imports no torch."""
        weights = packaged_or_named(config.weights, config.weights_sha256)
        return describe_with(architecture(read_card(weights)), config, weights)

    def build(self, configs: Sequence[RepresentationConfig]) -> BuiltinExtractor:
        """One extractor for all `configs`, which share their weights."""
        weights = packaged_or_named(configs[0].weights, configs[0].weights_sha256)
        declared = architecture(read_card(weights))
        return BuiltinExtractor([describe_with(declared, config, weights) for config in configs], load(weights))

    def load(self, config: RepresentationConfig) -> BuiltinCodec:
        """The bare codec with its decoder."""
        return load(packaged_or_named(config.weights, config.weights_sha256), config.num_codebooks)


FAMILY = BuiltinFamily()
