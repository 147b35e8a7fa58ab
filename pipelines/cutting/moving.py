"""Cues in languages without an aligner: moved by the recording's offset and drift, their ends to pauses nearby."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...curators.signal.vad import FRAME_S, SPEECH_THRESHOLD
from .listening import runs
from .texts import Text
from .timing import Timing

SNAP_S = 0.75
"""How far an end of a cue goes to a pause."""
LEAST_PAUSE_FRAMES = 3


def move(texts: Sequence[Text], speech: np.ndarray, timing: Timing) -> None:
    """Give the words of cues times: evenly over the cue, where `timing` and the nearest pauses put it."""
    pauses = [(a * FRAME_S, b * FRAME_S) for a, b in runs(speech < SPEECH_THRESHOLD) if b - a >= LEAST_PAUSE_FRAMES]
    begins = np.array([b for _, b in pauses])
    ends = np.array([a for a, _ in pauses])
    total_s = len(speech) * FRAME_S
    for text in texts:
        if text.start_s is None or text.end_s is None:
            continue
        start = _snapped(timing(text.start_s), begins)
        end = _snapped(timing(text.end_s), ends)
        start, end = max(0.0, start), min(end, total_s)
        if end <= start:
            # it lies outside the recording
            continue
        edges = np.linspace(start, end, len(text.tokens) + 1)
        text.times = np.stack([edges[:-1], edges[1:]], axis=1)
        text.how = "moved"


def _snapped(t: float, places: np.ndarray) -> float:
    if not len(places):
        return t
    nearest = float(places[np.abs(places - t).argmin()])
    return nearest if abs(nearest - t) <= SNAP_S else t
