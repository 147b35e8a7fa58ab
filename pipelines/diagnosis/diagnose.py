"""Diagnose a version: how predictable each representation is, kept beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ...diagnostics.codes.further_clips import Corpus
from ...diagnostics.codes.sound import SOUND_ROWS
from ...diagnostics.estimates.folds import folds_of_clips, sample_clips
from ...diagnostics.estimates.jobs import Jobs
from ...diagnostics.estimates.samples import Kept
from ...diagnostics.motion.acoustic_change import ROWS
from ...diagnostics.motion.clips import Clips, beginnings, training_clips
from ...diagnostics.summary import (
    LatentsDiagnosis,
    diagnose_codes,
    diagnose_directions,
    diagnose_latents,
    diagnose_motion,
)
from ...loaders.reading.derived import diagnostics_record
from ...loaders.reading.pending import require_none
from ...loaders.reading.version import Version
from ...loaders.storage.layout import derived_path
from ...schemas.derived import DIAGNOSTICS_SCHEMA
from ...schemas.errors import IntegrityError
from ...schemas.keys import digest
from ...schemas.representation import RepresentationSpec
from ..policy.speakers import describe_speaker_kinds, version_speakers
from ..spread.unit_jobs import UnitJobs
from ..work.pool import Pool
from ..work.processes import Processes
from .clip_sound import clip_sound
from .code_members import members, outside_members
from .codec_vectors import codebook_vectors_of
from .comparisons import Measured, comparisons
from .kept_network import KeptNetwork, identity
from .per_clip import keep_difficulty, keep_gains
from .reconstruction import NUM_CLIPS, reconstruction
from .stored_codes import StoredCodes

MAX_LATENT_FRAMES = 400_000
"""Latent frames looked at by default: at D = 512 a core takes some seconds for them."""
HELD_CODE_FRAMES = 4_000_000
"""Frames of codes that are held in memory: twice what counts are fitted on, 64 MB for eight codebooks. Clips beyond
them are scored in pieces (`diagnostics.codes.further_clips`)."""

Starts = Callable[[], Iterator[tuple[str, str, np.ndarray]]]
"""Starts a pass over (key, group, `[rows, frames]`)."""


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
    for name in names:
        begin(f"diagnosing {name}")
        spec = version.representation(name)
        kind, groups = _groups(version, name)
        if spec.is_codes and reconstruct:
            begin("codes: decoding clips to compare them with their recordings")
        left = reconstruction(version, spec, groups, kind, reconstruct)
        if spec.is_codes and spec.cardinality is not None:
            index, vectors = _index(version, name, groups), codebook_vectors_of(version, spec)
            held = held_clips(index, kind, seed)
            all_held = len(held) == len(index)
            samples = _samples(version, name, groups, held)
            sound = clip_sound(version, spec, SOUND_ROWS, None if all_held else held)
            for label, rows, entries in streams(spec):
                named = identity(spec.fingerprint, label, index, kind, seed, vectors)
                kept = KeptNetwork(version, label, named)
                outside, absent = outside_members(spec, entries)
                made_from = (named, label, seed, pool, budget_s, HELD_CODE_FRAMES, *sorted(outside))
                jobs = _jobs(version, workers, on, begin, made_from)
                source = StoredCodes(version.store, version.document.number, name, rows)
                codes = diagnose_codes(
                    _rows(samples, rows),
                    spec.frame_rate,
                    entries,
                    group_kind=kind,
                    seed=seed,
                    sound=sound,
                    members=members(vectors, kept, budget_s, seed, begin, pool=pool, jobs=jobs) | outside,
                    jobs=jobs,
                    corpus=None if all_held else Corpus(index, source),
                    say=begin,
                )
                if isinstance(jobs, UnitJobs):
                    jobs.forget()
                beside = {"trained": spec.trained, "reconstruction": left.to_dict(), "absent_members": absent}
                found[label] = codes.to_dict() | beside
                measured[label] = Measured.of_codes(codes, left)
            keep_difficulty(version, name, codes)
        else:
            index = _index(version, name, groups)
            latents, more = _latents(version, spec, groups, index, kind, seed, max_frames, budget_s, directions, begin)
            beside = {"trained": spec.trained, "reconstruction": left.to_dict()}
            found[name] = latents.to_dict() | more | beside
            measured[name] = Measured.of_latents(latents)
            keep_gains(version, name, latents)
    record |= {"representations": found, "comparisons": comparisons(measured)}
    data = json.dumps(_merged(version, record), indent=2).encode()
    version.store.put_derived(derived_path(version.document.number, "diagnostics.json"), data)
    return record


def held_clips(index: Sequence[tuple[str, str, int]], group_kind: str, seed: int) -> set[str]:
    """Clips whose codes are held in memory: `HELD_CODE_FRAMES` of them, spread over the groups; all where so few would
    leave a fold without a clip, as where a clip is many hours long."""
    held = sample_clips(index, HELD_CODE_FRAMES, seed=seed)
    folds = folds_of_clips(index, group_kind=group_kind, seed=seed)
    covered = {folds.fold_of(key, group) for key, group, _ in index if key in held}
    return held if len(covered) == folds.num_folds else {key for key, _, _ in index}


def _jobs(
    version: Version, workers: int | None, on: Pool | None, say: Callable[[str], None], made_from: tuple[Any, ...]
) -> Jobs:
    """Who does the pieces of one stream. made_from: all that they depend on besides the version."""
    if on is None:
        return Processes(workers)
    return UnitJobs(version.store, digest("diagnose/1", version.sha256, *map(str, made_from)), on, say)


def _latents(
    version: Version,
    spec: RepresentationSpec,
    groups: Mapping[str, str],
    index: list[tuple[str, str, int]],
    kind: str,
    seed: int,
    max_frames: int,
    budget_s: float | None,
    directions: bool,
    begin: Callable[[str], None],
) -> tuple[LatentsDiagnosis, dict[str, Any]]:
    """What the past says about frames; and, of samples of clips that are taken on the way, how they move and what a
    network says beyond a linear prediction."""

    def sound(clips: Collection[str]) -> dict[str, np.ndarray] | None:
        return clip_sound(version, spec, ROWS, set(clips))

    moving = beginnings(index, spec.rows, seed=seed)
    training = training_clips(index, spec.rows, seed=seed) if budget_s is not None else {}
    wanted = sample_clips(index, max_frames, seed=seed) | set(moving) | set(training)
    kept = Kept(_samples(version, spec.name, groups, wanted), moving)
    more = Kept(kept, training)
    latents = diagnose_latents(
        more, spec.frame_rate, group_kind=kind, seed=seed, max_frames=max_frames, index=index, say=begin
    )
    order = max(latents.order, 1)
    motion = diagnose_motion(
        kept.clips, spec.frame_rate, group_kind=kind, order=order, seed=seed, sound=sound, say=begin
    )
    mixture = None
    if budget_s is not None:
        # torch takes seconds to import, and is not needed otherwise
        from ...diagnostics.neural.mixture_gain import mixture_gain

        clips = Clips.of(more.clips, group_kind=kind, seed=seed)
        mixture = mixture_gain(clips, order, budget_s, group_kind=kind, seed=seed, progress=begin).to_dict()
    steps = None
    if directions:
        begin("latents: steps as direction and length")
        clips = [(key, group, frames) for key, (group, frames) in kept.clips.items()]
        found = diagnose_directions(clips, group_kind=kind, seed=seed)
        # archetypes are those of `motion`
        steps = found and {name: each for name, each in found.to_dict().items() if not name.startswith("arche_")}
    return latents, {"motion": motion.to_dict(), "mixture_density": mixture, "directions": steps}


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


def streams(spec: RepresentationSpec) -> list[tuple[str, slice, int]]:
    """(name, rows, entries) of what a codes representation holds: one stream, for units one per size.

    Codebooks of a codec describe a frame together and are coded as a chain. Sizes of units are vocabularies of their
    own over the same frames: a model is trained on one of them.
    """
    sizes = spec.details.get("sizes")
    if sizes:
        return [(f"{spec.name}/{size}", slice(row, row + 1), int(size)) for row, size in enumerate(sizes)]
    assert spec.cardinality is not None
    return [(spec.name, slice(None), spec.cardinality)]


def _rows(samples: Starts, rows: slice) -> Starts:
    return lambda: ((key, group, array[rows]) for key, group, array in samples())


def _groups(version: Version, name: str) -> tuple[str, dict[str, str]]:
    """What the live clips of a representation are grouped by, in words, and the group of each."""
    speakers = version_speakers(version)
    live = version.live(name, columns=["clip"])["clip"]
    speakers = speakers.filter(pc.is_in(speakers["clip"], value_set=live.combine_chunks()))
    group = dict(zip(speakers["clip"].to_pylist(), speakers["speaker"].to_pylist(), strict=True))
    return describe_speaker_kinds(speakers["kind"]), group


def _samples(version: Version, name: str, group: Mapping[str, str], clips: Collection[str] | None = None) -> Starts:
    """A function that starts a pass over the clips, or those of them: nothing of the others is read."""
    where = None if clips is None or len(clips) >= len(group) else pc.field("clip").isin(sorted(clips))

    def start() -> Iterator[tuple[str, str, np.ndarray]]:
        for sample in version.samples(name, where=where):
            yield sample.key, group[sample.key], sample.array

    return start


def _index(version: Version, name: str, group: Mapping[str, str]) -> list[tuple[str, str, int]]:
    """(clip, group, frames) of the live clips, in the order of a pass, from the clip table alone."""
    live = version.live(name, columns=["clip"])
    frames = pc.struct_field(live["pointer"], "num_frames")
    return [(k, group[k], n) for k, n in zip(live["clip"].to_pylist(), frames.to_pylist(), strict=True)]
