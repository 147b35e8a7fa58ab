"""Clips of a version, read where they are stored by whoever scores them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from ...diagnostics.codes.sound import SOUND_ROWS
from ...loaders.reading.version import open_version
from ...loaders.storage.store import Store
from .clip_sound import clip_sound
from .grouped import GroupedClips


@dataclass(frozen=True, slots=True)
class StoredClips:
    """`diagnostics.estimates.pieces.ClipSource` of one representation, for codes with their sound."""

    store: Store
    number: int
    """Of the version."""
    representation: str
    rows: slice
    """Of each array: one stream of codes, or all."""

    @classmethod
    def of(cls, clips: GroupedClips, rows: slice = slice(None)) -> StoredClips:
        """Of the representation of these."""
        return cls(clips.version.store, clips.version.document.number, clips.spec.name, rows)

    def arrays(self, clips: Collection[str]) -> Iterator[tuple[str, np.ndarray]]:
        """(clip, codes `[K, T]` or latents `[D, T]`) of these clips, in shard order; nothing of the others is read."""
        version = open_version(self.store, self.number)
        for sample in version.samples(self.representation, where=pc.field("clip").isin(sorted(clips))):
            yield sample.key, sample.array[self.rows]

    def sound(self, clips: Collection[str]) -> dict[str, np.ndarray] | None:
        """Of those of these clips that have it; None for a version without."""
        version = open_version(self.store, self.number)
        return clip_sound(version, version.representation(self.representation), SOUND_ROWS, clips)
