"""Reverberation: clarity C50 as the learned network hears it."""

from __future__ import annotations

from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.score import Row, ScoreColumn
from ..perclip import PerClip, Unmeasurable
from .learned import AcousticOptions, acoustic_weights, acoustics
from .vad import speech_seconds, vad_weights


class ReverbOptions(AcousticOptions):
    """Parameters of `reverb`."""

    min_speech_s: float = Field(
        default=0.5, gt=0, description="Speech (s) below which there are too few decays to hear a room"
    )


class ReverbCurator(PerClip):
    """C50 of the room that the speech was recorded in, blind."""

    name = "reverb"
    version = 1
    columns = (
        ScoreColumn(
            "c50_db",
            "float32",
            "dB",
            "Clarity of the room: energy of the first 50 ms over the rest, 125 Hz to 4 kHz, estimated; about -10 to 35",
        ),
    )
    inputs = ("recording",)
    Options = ReverbOptions

    def weights(self) -> str:
        """The network's hash and the detector's."""
        return f"{acoustic_weights(self.options.network)}+{vad_weights()}"

    def measure(self, clip: Clip) -> Row:
        """C50 of one clip."""
        if (heard := speech_seconds(clip)) < (least := self.options.min_speech_s):
            if heard and clip.recording and clip.recording.c50_db is not None:
                # too little to hear the room in, but it is the recording's
                return {"c50_db": clip.recording.c50_db}
            raise Unmeasurable(f"less than {least:g} s of speech" if heard else "no speech")
        return {"c50_db": acoustics(clip, self.options.network).c50_db}
