"""Who speaks when, where labels say only that (RTTM): no clip goes over a change of speaker."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...curators.signal.vad import FRAME_S
from ...schemas.time import samples

BREATH_FRAMES = 6
"""Frames (0.2 s) around a turn in which speech is still its own: turns are marked by hand."""
OWN_SHARE = 0.9
"""Of the turns' time in a clip, from which one speaker's is the clip's."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Seconds of a recording in which somebody speaks. channel: None for any."""

    start_s: float
    end_s: float
    speaker: str
    channel: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """How turns cut a recording. edges: samples. anybody: `[F]` whether a frame is in a turn of one speaker alone.
    overlapping: samples [start, end) in which two speak."""

    edges: list[int]
    anybody: np.ndarray
    overlapping: list[tuple[int, int]]

    def overlaps(self, start: int, end: int) -> bool:
        """Whether two speak in all of [start, end)."""
        return any(a <= start and end <= b for a, b in self.overlapping)


def turns_of(labels: Iterable[Mapping[str, Any]]) -> list[Turn]:
    """Labels that say who speaks when, and not what."""
    found = [
        Turn(label["start_s"], label["start_s"] + label["duration_s"], label["speaker"], label["channel"])
        for label in labels
        if not label["transcript"] and label["speaker"] and label["start_s"] is not None and label["duration_s"]
    ]
    return sorted(found, key=lambda turn: (turn.start_s, turn.end_s, turn.speaker))


def cut_by(turns: Sequence[Turn], num_samples: int, sample_rate: int, shape: tuple[int, ...]) -> Turns | None:
    """How turns cut a recording of one channel; None without turns, and for several channels, whose sides stay paired
    whoever speaks. shape: `[C, F]` of its speech.

    Between turns of two speakers the cut is in the middle. A turn inside a longer one of somebody else does not cut it.
    What two partly share is cut out.
    """
    if not turns or shape[0] > 1:
        return None
    outer: list[Turn] = []
    for turn in turns:
        if outer and turn.end_s <= outer[-1].end_s:
            continue
        outer.append(turn)
    edges: list[int] = []
    overlapping: list[tuple[int, int]] = []
    anybody = np.zeros(shape[1], bool)
    for turn in outer:
        first, stop = int(turn.start_s / FRAME_S) - BREATH_FRAMES, int(turn.end_s / FRAME_S) + 1 + BREATH_FRAMES
        anybody[max(0, first) : max(0, stop)] = True
    for before, after in itertools.pairwise(outer):
        if before.speaker == after.speaker:
            continue
        if before.end_s <= after.start_s:
            edges.append(samples((before.end_s + after.start_s) / 2, sample_rate))
            continue
        start, end = (min(samples(t, sample_rate), num_samples) for t in (after.start_s, before.end_s))
        edges += [start, end]
        if end > start:
            overlapping.append((start, end))
            anybody[int(after.start_s / FRAME_S) : int(before.end_s / FRAME_S) + 1] = False
    return Turns(edges, anybody, overlapping)


def name_speakers(
    rows: dict[tuple[int, int, int], dict[str, Any]],
    turns: Sequence[Turn],
    clips: Sequence[tuple[int, int]],
    sample_rate: int,
    num_channels: int,
) -> None:
    """Give clips without a speaker the one whose turns are nearly all of the turns in it; changes `rows`."""
    if not turns:
        return
    for channel in range(num_channels):
        of = [turn for turn in turns if turn.channel in (None, channel)]
        starts, ends = (np.array([getattr(turn, edge) for turn in of]) for edge in ("start_s", "end_s"))
        for start, end in clips:
            shared = np.minimum(ends, end / sample_rate) - np.maximum(starts, start / sample_rate)
            said: dict[str, float] = {}
            for k in np.flatnonzero(shared > 0):
                said[of[k].speaker] = said.get(of[k].speaker, 0.0) + float(shared[k])
            if not said:
                continue
            most = max(said, key=lambda who: (said[who], who))
            speaker = most if said[most] >= OWN_SHARE * sum(said.values()) else None
            row = rows.setdefault((start, end, channel), {"text": None, "speaker": None, "words": None, "cues": []})
            row["speaker"] = row["speaker"] or speaker
