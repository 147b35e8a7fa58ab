"""Reverberation: clarity C50 as the learned network hears it."""

from __future__ import annotations

from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.score import UNMEASURABLE, Row, ScoreColumn
from ..perclip import PerClip, Unmeasurable
from .learned import AcousticOptions, acoustic_weights, acoustics
from .sigma import ACOUSTIC_WEIGHTS, acoustic_evidence, c50_sigma_db, sigma_weights
from .vad import speech_probabilities, speech_seconds, vad_weights


class ReverbOptions(AcousticOptions):
    """Parameters of `reverb`."""

    min_speech_s: float = Field(
        default=0.5, gt=0, description="Speech (s) below which there are too few decays to hear a room"
    )


class ReverbCurator(PerClip):
    """C50 of the room that the speech was recorded in, blind."""

    name = "reverb"
    version = 2
    columns = (
        ScoreColumn(
            "c50_db",
            "float32",
            "dB",
            "Clarity of the room: energy of the first 50 ms over the rest, 125 Hz to 4 kHz, estimated; about -10 to 35",
        ),
        ScoreColumn(
            "c50_sigma_db",
            "float32",
            "dB",
            "Expected standard deviation of the error of c50_db: 90 % of errors are within 1.64 times this",
        ),
    )
    inputs = ("recording",)
    Options = ReverbOptions

    def weights(self) -> str:
        """The network's hash, the detector's, and that of what judges them."""
        return f"{acoustic_weights(self.options.network)}+{vad_weights()}+{sigma_weights(ACOUSTIC_WEIGHTS)}"

    def measure(self, clip: Clip) -> Row:
        """C50 of one clip, and how far it may be off."""
        if (heard := speech_seconds(clip)) < (least := self.options.min_speech_s):
            if heard and clip.recording and clip.recording.c50_db is not None:
                why = f"{UNMEASURABLE}: less than {least:g} s of speech, so c50_db is the recording's"
                return {"c50_db": clip.recording.c50_db, "c50_sigma_db": None, "reason": why}
            raise Unmeasurable(f"less than {least:g} s of speech" if heard else "no speech")
        found = acoustics(clip, self.options.network)
        x = acoustic_evidence(found, speech_probabilities(clip))
        return {"c50_db": found.c50_db, "c50_sigma_db": c50_sigma_db(x)}
