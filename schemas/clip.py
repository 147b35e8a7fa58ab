"""One clip in memory, as curators and extractors see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class RecordingSound:
    """What was measured on the whole recording that a clip is of, on the clip's channel."""

    noise_power: float | None
    """Mean square of its pauses at 16 kHz, full scale 1.0; None where it has none."""
    unsteadiness: float
    """Standard deviation of the pauses' power over its mean."""
    c50_db: float | None
    """Clarity of the room; None where too little is said."""

    def to_text(self) -> str:
        """As an input of scores that is compared as text."""
        values = (self.noise_power, self.unsteadiness, self.c50_db)
        return ":".join("" if v is None else f"{v:.6g}" for v in values)

    @classmethod
    def from_text(cls, text: str) -> RecordingSound:
        """The sound that `to_text` wrote."""
        noise, unsteadiness, c50 = (float(part) if part else None for part in text.split(":"))
        return cls(noise, unsteadiness or 0.0, c50)


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
    recording: RecordingSound | None = None
    """Of recordings that are cut at pauses: a clip without pauses lacks what they say of its noise."""
    memo: dict[str, Any] = field(default_factory=dict)
    """Work shared by curators on this clip (resampled audio, speech frames); dies with the clip."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.waveform.shape[0] / self.sample_rate
