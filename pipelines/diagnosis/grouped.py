"""The live clips of a representation, by what is held out together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from ...loaders.reading.version import Version
from ...schemas.representation import RepresentationSpec
from ..policy.speakers import describe_speaker_kinds, version_speakers

Starts = Callable[[], Iterator[tuple[str, str, np.ndarray]]]
"""Starts a pass over (clip, group, `[rows, frames]`)."""


@dataclass(frozen=True, slots=True)
class GroupedClips:
    """The live clips of one representation of a version."""

    version: Version
    spec: RepresentationSpec
    kind: str
    """What they are grouped by, in words."""
    groups: Mapping[str, str]
    """The group of each."""

    @classmethod
    def of(cls, version: Version, spec: RepresentationSpec) -> GroupedClips:
        """Grouped by speaker, where it is known or heard, else by recording."""
        speakers = version_speakers(version)
        live = version.live(spec.name, columns=["clip"])["clip"]
        speakers = speakers.filter(pc.is_in(speakers["clip"], value_set=live.combine_chunks()))
        groups = dict(zip(speakers["clip"].to_pylist(), speakers["speaker"].to_pylist(), strict=True))
        return cls(version, spec, describe_speaker_kinds(speakers["kind"]), groups)

    def index(self) -> list[tuple[str, str, int]]:
        """(clip, group, frames), in the order of a pass, from the clip table alone."""
        live = self.version.live(self.spec.name, columns=["clip"])
        frames = pc.struct_field(live["pointer"], "num_frames")
        each = zip(live["clip"].to_pylist(), frames.to_pylist(), strict=True)
        return [(clip, self.groups[clip], count) for clip, count in each]

    def samples(self, clips: Collection[str], rows: slice = slice(None)) -> Starts:
        """A function that starts a pass over these clips: nothing of the others is read."""
        where = None if len(clips) >= len(self.groups) else pc.field("clip").isin(sorted(clips))

        def start() -> Iterator[tuple[str, str, np.ndarray]]:
            for sample in self.version.samples(self.spec.name, where=where):
                yield sample.key, self.groups[sample.key], sample.array[rows]

        return start
