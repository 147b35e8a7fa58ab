"""Units fitted on the kept clips of a version: over latents that it holds, or over MFCC of its audio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...extractors.features.units import source_card, write_units
from ...loaders.reading.pending import require_none
from ...loaders.reading.version import Version
from ...pipelines.derived.decoder import config_of
from ...pipelines.derived.fit_speech_units import Heard, Stored, fit_version
from ...schemas.errors import ConfigError
from ...schemas.tables import Status


def units_of(
    version: Version,
    sizes: list[int],
    out: Path,
    over: str | None = None,
    rate_hz: float = 75.0,
    passes: int = 20,
    seed: int = 0,
    owner: str = "",
    workers: int | None = None,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Fit and write units; their card. over: a latent representation, None for MFCC at `rate_hz`.

    Every pass reads the stored latents again (or decodes the audio again), a block of clips at a time, where there is
    much of it on `workers` processes; the result does not depend on them. Interrupted, the same call goes on after the
    last finished pass (`<out>.fit` until the end). told: gets (clips gone over, clips in all passes).
    """
    require_none(version.store)
    if not any(row.as_py() == Status.KEPT for row in version.clips(["status"])["status"]):
        raise ConfigError(f"version {version.document.number} keeps no clip: there is nothing to fit units on")
    if over is None:
        card = source_card(None, rate_hz)
        read: Heard | Stored = Heard(card)
    else:
        spec = version.representation(over)
        card = source_card(config_of(version, spec.name))
        if card["source_fingerprint"] != spec.fingerprint:
            raise ConfigError(
                f"{spec.name}: its weights or code differ from those that made version {version.document.number}"
            )
        read = Stored(version.store, spec)
    kept = out.with_name(f"{out.name}.fit")
    fitted, failed = fit_version(version, read, sizes, passes, seed, workers=workers, kept=kept, told=told)
    notes: dict[str, Any] = {"owner": owner, "licence": "", "data": f"kept clips of version {version.document.number}"}
    if failed:
        notes["clips_left_out"] = len(failed)
        notes["first_reason"] = failed[min(failed)]
    card = write_units(fitted, card, out, seed, notes)
    kept.unlink(missing_ok=True)
    return card
