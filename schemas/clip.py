"""One clip in memory, as curators and extractors see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(slots=True, eq=False)
class Clip:
    """An interval of one channel of a recording, decoded.

    waveform: `[T]` float32 at `sample_rate`, nominally in [-1, 1]; float files may exceed it; never NaN or Inf
    (the decoder refuses those) and may have any length from 1 sample up.
    """

    key: str
    """32 hex digits, see `schemas.keys.clip_key`; "" for a loose file."""
    waveform: np.ndarray
    sample_rate: int
    """Hz, of `waveform`."""
    transcript: str | None = None
    """What is said to be spoken: a weak label and hostile text. None when unknown."""
    language: str | None = None
    """ISO 639-1 code in lower case ("en"), as claimed by the source. None when unknown."""
    speaker: str | None = None
    channel: int = 0
    """Zero-based channel of the recording."""
    siblings: tuple[np.ndarray, ...] = ()
    """All channels of the same span, `[T]` float32 each, own channel included; empty for mono."""
    memo: dict[str, Any] = field(default_factory=dict)
    """Work shared by curators on this clip (resampled audio, speech frames); dies with the clip."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.waveform.shape[0] / self.sample_rate
