"""Diagnose a version: how predictable each representation is, kept beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from ...loaders.reading.derived import diagnostics_record
from ...loaders.reading.pending import require_none
from ...loaders.reading.version import Version
from ...loaders.storage.layout import derived_path
from ...schemas.derived import DIAGNOSTICS_SCHEMA
from ...schemas.errors import IntegrityError
from ..work.pool import Pool
from .asked import Asked
from .comparisons import Measured, comparisons
from .grouped import GroupedClips
from .of_codes import codes_of
from .of_latents import latents_of
from .per_clip import keep_difficulty, keep_gains
from .reconstruction import NUM_CLIPS, reconstruction

MAX_LATENT_FRAMES = 400_000
"""Latent frames that models are fitted on by default. Clips beyond them are scored in pieces
(`diagnostics.estimates.pieces`)."""


def diagnose(
    version: Version,
    representations: Sequence[str] | None = None,
    *,
    max_frames: int = MAX_LATENT_FRAMES,
    seed: int = 0,
    budget_s: float | None = None,
    pool: bool = True,
    reconstruct: int = NUM_CLIPS,
    directions: bool = False,
    workers: int | None = None,
    on: Pool | None = None,
    begin: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Diagnose `representations` (prefixes; default all) of a version; returns the record of these.

    max_frames: of each representation without codes, on which models are fitted; every clip is scored.
    budget_s: seconds to train a neural model of each stream of codes, which is mixed with the counts; needs torch. It
    is kept beside the version and used by the next diagnosis, with a budget or without. For each other representation
    a mixture density network is trained as long, and not kept.
    pool: whether a pool of contexts is mixed with the counts, which takes some three times as long as they do.
    reconstruct: clips of each codes representation that are decoded and compared with their recordings.
    directions: whether steps of latents are also split into direction and length, on the sample of `motion`.
    workers: processes that count and train at once; default one per core. What is counted does not depend on it.
    on: workers that do this instead, on any nodes, each piece with a receipt; one that was interrupted goes on.

    Adds them to `derived/<version>/diagnostics.json`, where other representations stay as they are, and writes what is
    known of each clip: one `difficulty-<representation>.parquet` per codes representation, one
    `gains-<representation>.parquet` per other. Units have one record per size, `<representation>/<size>`, and the
    difficulty of the largest. Two of one kind are compared clip by clip.
    """
    require_none(version.store)
    names = [version.representation(r).name for r in representations or sorted(version.document.representations)]
    record: dict[str, Any] = {"schema": DIAGNOSTICS_SCHEMA, "version": version.document.number, "seed": seed}
    found: dict[str, Any] = {}
    measured: dict[str, Measured] = {}
    asked = Asked(max_frames, seed, budget_s, pool, directions, workers, on, begin)
    for name in names:
        begin(f"diagnosing {name}")
        spec = version.representation(name)
        clips = GroupedClips.of(version, spec)
        if spec.is_codes and reconstruct:
            begin("codes: decoding clips to compare them with their recordings")
        left = reconstruction(version, spec, clips.groups, clips.kind, reconstruct)
        beside = {"trained": spec.trained, "reconstruction": left.to_dict()}
        if spec.is_codes and spec.cardinality is not None:
            for label, codes, absent in codes_of(clips, asked):
                found[label] = codes.to_dict() | beside | {"absent_members": absent}
                measured[label] = Measured.of_codes(codes, left)
            keep_difficulty(version, name, codes)
        else:
            latents, more = latents_of(clips, asked)
            found[name] = latents.to_dict() | more | beside
            measured[name] = Measured.of_latents(latents)
            keep_gains(version, name, latents)
    record |= {"representations": found, "comparisons": comparisons(measured)}
    data = json.dumps(_merged(version, record), indent=2).encode()
    version.store.put_derived(derived_path(version.document.number, "diagnostics.json"), data)
    return record


def _merged(version: Version, record: dict[str, Any]) -> dict[str, Any]:
    """The record with what was diagnosed before of other representations."""
    try:
        before = diagnostics_record(version)
    except IntegrityError:
        # a damaged record is made again
        before = None
    if before is None:
        return record
    new = record["representations"]
    kept = [c for c in before["comparisons"] if not {c["a"], c["b"]} & set(new)]
    return record | {
        "representations": dict(sorted((before["representations"] | new).items())),
        "comparisons": [*kept, *record["comparisons"]],
    }
