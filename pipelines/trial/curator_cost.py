"""What a curator costs: CPU seconds on clips, its model loaded, what runs share with other curators not counted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from ...curators.registry import build
from ...loaders.reading.version import Version
from ...schemas.clip import Clip
from ...schemas.errors import AuricleError
from ...schemas.score import Curator, Row
from ..passes.measure import measure


class Timed:
    """A curator that is measured while it scores.

    Clips are scored singly beforehand until one gives a score: models are loaded then, which is not counted. A clip
    without a transcript, say, would load none.
    """

    def __init__(self, curator: Curator) -> None:
        self.curator = curator
        self.cpu_s = 0.0
        """CPU seconds of this process, all threads."""
        self._warm = False

    def score(self, clips: Sequence[Clip]) -> list[Row]:
        """One row per clip, in order; of one that makes the curator raise, why.

        The clips stay as they are, so that the next curator finds nothing done.
        """
        for clip in clips:
            if self._warm:
                break
            row = measure(self.curator, [_copy(clip)], float("inf"))[0]
            self._warm = any(row.get(column.name) is not None for column in self.curator.columns)
        copies = [_copy(clip) for clip in clips]
        start = time.process_time()
        rows = measure(self.curator, copies, float("inf"))
        self.cpu_s += time.process_time() - start
        return rows


class Current:
    """The curator that a version was scored with, run again on a sample for its cost alone."""

    def __init__(self, version: Version, name: str | None) -> None:
        self.missing: str | None = None
        """Why it cannot be run here; None where it can, and where the version has none."""
        self._timed: Timed | None = None
        if name is None:
            return
        score = version.document.config.get("score", {})
        try:
            self._timed = Timed(build([name], {name: score.get("options", {}).get(name, {})})[0])
        except AuricleError as error:
            self.missing = str(error)

    @property
    def cpu_s(self) -> float | None:
        """CPU seconds so far, None where it cannot be run."""
        return self._timed.cpu_s if self._timed else None

    def score(self, clips: Sequence[Clip]) -> None:
        """Measure it on the clips, unless it cannot be run."""
        if self._timed is None:
            return
        try:
            self._timed.score(clips)
        except AuricleError as error:
            self._timed, self.missing = None, str(error)


def detector(version: Version, *measured: str | None) -> Curator | None:
    """What runs of the version do to a clip before most curators ask: its speech, found once and shared by its memo.

    None where the version does without, where it is itself what is measured, and where its packages are absent.
    """
    if "vad" not in version.document.curators or "vad" in measured:
        return None
    try:
        return build(["vad"])[0]
    except AuricleError:
        return None


def _copy(clip: Clip) -> Clip:
    return replace(clip, memo=dict(clip.memo))
