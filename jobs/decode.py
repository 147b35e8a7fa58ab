"""From codes back to audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from ..extractors.registry import describe, load_codec
from ..loaders.version import Version
from ..schemas.config import RepresentationConfig
from ..schemas.errors import ConfigError


def decode_clip(version: Version, clip: str, representation: str, out: Path | None) -> Path:
    """Write a WAV of what the codes of one clip stand for; returns its path.

    Raises `ConfigError` for a clip or representation that is not there, `WeightsError` when the codec's weights are
    not those that made the codes.
    """
    import torch

    spec = version.representation(representation)
    if not spec.is_codes:
        raise ConfigError(f"{spec.name} is continuous; codes are needed to decode")
    config = _config(version, spec.name)
    if describe(config).fingerprint != spec.fingerprint:
        raise ConfigError(
            f"{spec.name}: its weights or code differ from those that made version {version.document.number}"
        )
    found = [s for s in version.samples(spec.name) if s.key.startswith(clip)]
    if len(found) != 1:
        raise ConfigError(f"clip {clip!r}: {len(found)} kept clips of {spec.name} begin like this; one is required")
    codec = load_codec(config)
    with torch.inference_mode():
        codes = torch.from_numpy(found[0].array.astype(np.int64))[None]
        audio = codec.decode(codes)[0].float().numpy()
    path = out or Path(f"{found[0].key}.wav")
    soundfile.write(path, np.clip(audio.T, -1, 1), codec.sample_rate, subtype="PCM_16")
    return path


def _config(version: Version, name: str) -> RepresentationConfig:
    for raw in version.document.config.get("representations", []):
        config = RepresentationConfig.model_validate(raw)
        if describe(config).name == name:
            return config
    raise ConfigError(f"{name} is not in the configuration of version {version.document.number}")
