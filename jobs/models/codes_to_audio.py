"""From codes back to audio."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import soundfile

from ...loaders.reading.pending import require_none
from ...loaders.reading.version import Sample, Version
from ...pipelines.derived.decoder import Decoder
from ...schemas.counted import counted
from ...schemas.errors import ConfigError
from ...schemas.representation import RepresentationSpec


def decode_clip(version: Version, clip: str, representation: str, out: Path | None) -> Path:
    """Write a WAV of what the codes of one clip stand for; returns its path. A conversation is written in stereo.

    clip: its key, or the beginning of it. Raises `ConfigError` for a clip or representation that is not there,
    `WeightsError` when the codec's weights are not those that made the codes.
    """
    require_none(version.store)
    spec = version.representation(representation)
    if not spec.is_codes:
        raise ConfigError(f"{spec.name} is continuous; codes are needed to decode")
    sample = _sample(version, spec, clip)
    audio, sample_rate = Decoder(version, spec).audio(sample)
    path = out or Path(f"{sample.key}.wav")
    soundfile.write(path, np.clip(audio.T, -1, 1), sample_rate, subtype="PCM_16")
    return path


def _sample(version: Version, spec: RepresentationSpec, clip: str) -> Sample:
    found = list(version.samples(spec.name, where=pc.starts_with(pc.field("clip"), clip)))
    if len(found) != 1:
        raise ConfigError(
            f"clip {clip!r}: {counted(len(found), 'kept clip')} of {spec.name} have a key that begins like this; "
            "exactly one is required"
        )
    return found[0]
