"""Who counts as one speaker: the labelled one, else the voice that was heard, else the recording."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ..loaders.version import Version
from .state import State

KINDS = ("speaker", "voice", "recording")
"""What a group of clips stands for, best evidence first. Equal labels in two sources are one speaker."""


def speaker_groups(state: State) -> None:
    """Table `speaker_groups`: clip, speaker, kind (one of `KINDS`) of every live clip."""
    state.sql(
        """CREATE OR REPLACE TABLE speaker_groups AS
        SELECT clip, coalesce(speaker, recording) AS speaker,
            CASE WHEN speaker IS NOT NULL THEN 'speaker' ELSE 'recording' END AS kind
        FROM clips_now"""
    )


def version_speakers(version: Version) -> pa.Table:
    """clip, speaker, kind of every clip of a published version, as `speaker_groups` has them."""
    clips = version.clips(["clip", "recording", "speaker"])
    kind = pc.if_else(pc.is_valid(clips["speaker"]), "speaker", "recording")
    return pa.table({"clip": clips["clip"], "speaker": pc.coalesce(clips["speaker"], clips["recording"]), "kind": kind})
