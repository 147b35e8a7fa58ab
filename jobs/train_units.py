"""Units fitted on the kept clips of a version: over latents that it holds, or over MFCC of its audio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..extractors.units import fit_units, fit_vectors, source_card
from ..loaders.version import Version
from ..pipelines.listen import clip_audio
from ..schemas.errors import ConfigError
from ..schemas.tables import Status
from .decode import config_of


def units_of(
    version: Version, sizes: list[int], out: Path, over: str | None, rate_hz: float, passes: int, seed: int, owner: str
) -> dict[str, Any]:
    """Fit and write units; their card. over: a latent representation, None for MFCC at `rate_hz`.

    Every pass reads the stored latents again (or decodes the audio again), one clip at a time.
    """
    if not any(row.as_py() == Status.KEPT for row in version.clips(["status"])["status"]):
        raise ConfigError(f"version {version.document.number} keeps no clip: there is nothing to fit units on")
    notes = {"owner": owner, "licence": "", "data": f"kept clips of version {version.document.number}"}
    if over is None:

        def audio() -> Iterator[tuple[str, np.ndarray, int]]:
            for row in version.clips().to_pylist():
                if row["status"] == Status.KEPT:
                    waveform, rate = clip_audio(version, row)
                    yield row["clip"], waveform[None], rate

        return fit_units(audio, sizes, out, None, rate_hz, passes, seed, notes)
    spec = version.representation(over)
    card = source_card(config_of(version, spec.name))
    if card["source_fingerprint"] != spec.fingerprint:
        raise ConfigError(
            f"{spec.name}: its weights or code differ from those that made version {version.document.number}"
        )
    batches = lambda: ((s.key, s.array.T) for s in version.samples(spec.name))  # noqa: E731
    return fit_vectors(batches, sizes, card, out, passes, seed, notes)
