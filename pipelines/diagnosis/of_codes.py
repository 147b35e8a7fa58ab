"""Diagnoses of the streams of a codes representation of a version."""

from __future__ import annotations

from collections.abc import Iterator

from ...diagnostics.codes.sound import SOUND_ROWS
from ...diagnostics.estimates.folds import held_clips
from ...diagnostics.estimates.pieces import Corpus
from ...diagnostics.summary import CodesDiagnosis, diagnose_codes
from ...schemas.representation import RepresentationSpec
from .asked import Asked, forget
from .clip_sound import clip_sound
from .code_members import members, outside_members
from .codec_vectors import codebook_vectors_of
from .grouped import GroupedClips
from .kept_network import KeptNetwork, identity
from .stored_clips import StoredClips

HELD_CODE_FRAMES = 4_000_000
"""Frames of codes that are held in memory: twice what counts are fitted on, 64 MB for eight codebooks. Clips beyond
them are scored in pieces (`diagnostics.estimates.pieces`)."""


def codes_of(clips: GroupedClips, asked: Asked) -> Iterator[tuple[str, CodesDiagnosis, dict[str, str]]]:
    """(name, diagnosis, models that could not join and why) of each stream."""
    version, spec, kind, seed = clips.version, clips.spec, clips.kind, asked.seed
    index, vectors = clips.index(), codebook_vectors_of(version, spec)
    held = held_clips(index, HELD_CODE_FRAMES, group_kind=kind, seed=seed)
    all_held = len(held) == len(index)
    sound = clip_sound(version, spec, SOUND_ROWS, None if all_held else held)
    for label, rows, entries in streams(spec):
        named = identity(spec.fingerprint, label, index, kind, seed, vectors)
        kept = KeptNetwork(version, label, named)
        outside, absent = outside_members(spec, entries)
        jobs = asked.jobs(version, named, label, seed, asked.pool, asked.budget_s, HELD_CODE_FRAMES, *sorted(outside))
        own = members(vectors, kept, asked.budget_s, seed, asked.begin, pool=asked.pool, jobs=jobs)
        codes = diagnose_codes(
            clips.samples(held, rows),
            spec.frame_rate,
            entries,
            group_kind=kind,
            seed=seed,
            sound=sound,
            members=own | outside,
            jobs=jobs,
            corpus=None if all_held else Corpus(index, StoredClips.of(clips, rows)),
            say=asked.begin,
        )
        forget(jobs)
        yield label, codes, absent


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
