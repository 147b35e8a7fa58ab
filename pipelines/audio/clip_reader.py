"""From planned items to decoded clips: each recording is opened, checked and decoded once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from ...schemas.clip import Clip, RecordingSound
from ...schemas.errors import ClipError
from ...schemas.tables import FailureReason
from .recordings import opened
from .tape import read_spans

Decoded = tuple[dict[str, Any], Clip | ClipError]
Span = tuple[int, int]
"""Samples [start, end) of a recording."""


def read_clips(items: Sequence[dict[str, Any]]) -> Iterator[Decoded]:
    """Each item with its clip, or with why it cannot be had; in order.

    Items: key, recording, uri, channel, start, end, and the labels transcript, language, speaker when there are any,
    and recording_sound (`RecordingSound.to_text`).
    The items of a recording stand together, as the plan orders them. The last recordings stay open for the next call.
    """
    for (recording, uri), group in groupby(items, key=lambda item: (item["recording"], item["uri"])):
        of_recording = list(group)
        yield from _read_recording(recording, uri, of_recording)


def _read_recording(recording: str, uri: str, items: list[dict[str, Any]]) -> Iterator[Decoded]:
    waiting = deque(items)
    try:
        with opened(uri, recording) as source:
            spans = [_span(item) for item in items]
            wanted = Counter(spans)
            ready: dict[Span, tuple[np.ndarray, int]] = {}
            for span, waveform, sample_rate in read_spans(source.tape, spans):
                ready[span] = (waveform, sample_rate)
                while waiting and (key := _span(waiting[0])) in ready:
                    item = waiting.popleft()
                    yield item, _clip(item, *ready[key])
                    wanted[key] -= 1
                    if not wanted[key]:
                        del ready[key]
    except ClipError as error:
        for item in waiting:
            yield item, error
    except OSError as error:
        for item in waiting:
            yield item, ClipError(FailureReason.UNREADABLE, f"{uri.rsplit('/', 1)[-1]}: {error.strerror}")


def _span(item: dict[str, Any]) -> Span:
    return item["start"], item["end"]


def _clip(item: dict[str, Any], waveform: np.ndarray, sample_rate: int) -> Clip:
    channel = item["channel"]
    return Clip(
        key=item["key"],
        waveform=np.ascontiguousarray(waveform[channel]),
        sample_rate=sample_rate,
        transcript=item.get("transcript"),
        language=item.get("language"),
        speaker=item.get("speaker"),
        channel=channel,
        siblings=tuple(waveform) if waveform.shape[0] > 1 else (),
        recording=RecordingSound.from_text(heard) if (heard := item.get("recording_sound")) else None,
    )
