"""Which words of the labels a clip has: those that are said in it, never more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .texts import Text


def aligned_rows(
    texts: Sequence[Text], clips: Sequence[tuple[int, int]], sample_rate: int, num_channels: int
) -> dict[tuple[int, int, int], dict[str, Any]]:
    """By (start, end, channel) a row of `schemas.tables.ALIGNED`, of clips of which a label says anything.

    A word is in the clip that its middle is in. A text that matches nothing is listed where it was expected.
    """
    found: dict[tuple[int, int, int], dict[str, Any]] = {}
    if not clips or not texts:
        return found
    starts = np.array([start for start, _ in clips]) / sample_rate
    ends = np.array([end for _, end in clips]) / sample_rate
    for channel in range(num_channels):
        # by clip: (when the text begins, which one, its tokens here)
        here: dict[int, list[tuple[float, int, list[int]]]] = {}
        for number, text in enumerate(texts):
            if text.channel not in (None, channel):
                continue
            if (span := text.placed) is None:
                clip = _clip_at(text.expected_s, starts, ends)
                if clip is not None:
                    here.setdefault(clip, []).append((text.expected_s or 0.0, number, []))
                continue
            middles = text.times.mean(axis=1)
            of: dict[int, list[int]] = {}
            for token in np.flatnonzero(~np.isnan(middles)):
                if (clip := _clip_at(float(middles[token]), starts, ends)) is not None:
                    of.setdefault(clip, []).append(int(token))
            for clip, tokens in of.items():
                here.setdefault(clip, []).append((span[0], number, tokens))
        for clip, parts in here.items():
            found[(*clips[clip], channel)] = _row([(texts[number], tokens) for _, number, tokens in sorted(parts)])
    return found


def _clip_at(t: float | None, starts: np.ndarray, ends: np.ndarray) -> int | None:
    if t is None:
        return None
    k = int(np.searchsorted(starts, t, side="right")) - 1
    return k if k >= 0 and t < ends[k] else None


def _row(parts: Sequence[tuple[Text, list[int]]]) -> dict[str, Any]:
    words = [
        {
            "word": text.tokens[k],
            "start_s": round(float(text.times[k, 0]), 3),
            "end_s": round(float(text.times[k, 1]), 3),
        }
        for text, tokens in parts
        for k in tokens
    ]
    speakers = {text.speaker for text, tokens in parts if tokens}
    return {
        "text": " ".join(word["word"] for word in words) or None,
        "speaker": speakers.pop() if len(speakers) == 1 else None,
        "words": words or None,
        "cues": [_cue(text) for text, _ in parts],
    }


def _cue(text: Text) -> dict[str, Any]:
    start, end = text.placed or (None, None)
    return {
        "text": text.text,
        "start_s": text.start_s,
        "end_s": text.end_s,
        "placed_start_s": None if start is None else round(start, 3),
        "placed_end_s": None if end is None else round(end, 3),
        "how": text.how,
    }
