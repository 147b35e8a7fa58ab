"""From a version's codes back to audio, by the codec that made them."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc

from ...extractors.codecs.conversation import sides
from ...extractors.coding.registry import describe, load_codec
from ...loaders.reading.version import Sample, Version
from ...schemas.config import RepresentationConfig
from ...schemas.errors import ConfigError
from ...schemas.representation import RepresentationSpec


class Decoder:
    """The codec that made a representation of a version, loaded once."""

    def __init__(self, version: Version, spec: RepresentationSpec) -> None:
        """Raises `ConfigError` when the codec's weights or code are not those that made the codes."""
        config = config_of(version, spec.name)
        require_same(version, spec, config)
        self._version, self._spec = version, spec
        self._codec = load_codec(config)

    def audio(self, sample: Sample) -> tuple[np.ndarray, int]:
        """`[C, T]` float32 and its sample rate, as long as the clip."""
        import torch

        parts = sides(sample.array) if "sides" in self._spec.details else (sample.array,)
        decoded = []
        with torch.inference_mode():
            for part in parts:
                codes = torch.from_numpy(part.astype(np.int64))[None]
                decoded.append(self._codec.decode(codes, **self._volumes(sample))[0].float().numpy())
        rate = self._codec.sample_rate
        length = -(-(sample.clip["end"] - sample.clip["start"]) * rate // sample.clip["sample_rate"])
        return np.concatenate(decoded)[:, :length], rate

    def _volumes(self, sample: Sample) -> dict[str, Any]:
        """For a codec of scaled segments, the volume of each, where the version holds them."""
        import torch

        for name, entry in self._version.document.representations.items():
            if (entry.spec.codec, entry.spec.kind) == (self._spec.codec, "scales"):
                found = next(self._version.samples(name, where=pc.equal(pc.field("clip"), sample.key)), None)
                return {"scales": torch.from_numpy(found.array.astype(np.float32))[None]} if found else {}
        return {}


def require_same(version: Version, spec: RepresentationSpec, config: RepresentationConfig) -> None:
    """Raises `ConfigError` when the codec that `config` gives here is not the one that made the representation."""
    if describe(config).fingerprint != spec.fingerprint:
        raise ConfigError(
            f"{spec.name}: its weights or code differ from those that made version {version.document.number}"
        )


def config_of(version: Version, name: str) -> RepresentationConfig:
    """What the configuration of a version asked for to get the representation `name`."""
    for raw in version.document.config.get("representations", []):
        config = RepresentationConfig.model_validate(raw)
        if describe(config).name == name:
            return config
    raise ConfigError(f"{name} is not in the configuration of version {version.document.number}")
