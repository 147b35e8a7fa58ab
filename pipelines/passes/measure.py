"""What a curator says of clips, whatever it does: one that raises or never returns costs its own scores only."""

from __future__ import annotations

from collections.abc import Sequence

from ...schemas.clip import Clip
from ...schemas.score import Curator, Row
from ...schemas.tables import FailureClass, FailureReason
from ..work.hang import allowed_s, bounded
from ..work.one_by_one import ends_the_pass, why

FAILED = "failed"
"""Prefix of a null's reason when the curator raised, or took too long."""


def measure(curator: Curator, clips: Sequence[Clip], limit_s: float) -> list[Row]:
    """A row for every clip, in order. Where the curator raises, the clips are tried one by one, and the one that
    makes it raise has a row with the reason. In a worker process, one that takes longer than `limit_s` (or
    `hang.TIMES_AUDIO` times the audio) ends the process.

    Raises what `one_by_one.ends_the_pass`: an `AuricleError` of the curator, which is about the installation, a full
    disk.
    """
    if not clips:
        return []
    try:
        with bounded(curator.name, allowed_s(limit_s, sum(clip.duration_s for clip in clips))):
            rows = curator.score(clips)
        if len(rows) != len(clips):
            raise ValueError(f"{len(rows)} rows for {len(clips)} clips")
    except Exception as error:
        if ends_the_pass(error):
            raise
        if len(clips) > 1:
            return [measure(curator, [clip], limit_s)[0] for clip in clips]
        return [{"reason": failed(*why(error), curator.name)}]
    return rows


def failed(reason: FailureReason, message: str, curator: str) -> str:
    """Why a score is null, in one line. A reason of the moment is named, so that later runs know to try again."""
    word = f"{reason}: " if reason.kind is FailureClass.MOMENT else ""
    return f"{FAILED}: {word}{curator}: {message}"
